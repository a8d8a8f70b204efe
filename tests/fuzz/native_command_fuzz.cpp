// Whatever words follow CH.*: an error of a known kind, or a command that reads the same once written again.
#include "channels/native_command.hpp"

#include <algorithm>
#include <concepts>

#include "resp/command_scanner.hpp"
#include "tests/fuzz/target.hpp"

namespace {

using namespace tests;
namespace native = channels::native;
using words = std::vector<std::string>;

constexpr std::uint64_t bytes_max = 4'096;

native::command parse(const words& args) {
    return native::parse(std::vector<std::string_view>(args.begin(), args.end()), bytes_max);
}

template <std::integral Number>
void say(words& out, const char* option, Number number) {
    out.insert(out.end(), {option, std::to_string(number)});
}

void say(words& out, const char* option, std::string_view text) {
    if (!text.empty()) out.insert(out.end(), {option, std::string(text)});
}

// The rules themselves cannot be asked for: a HELLO is written without them.
words written(const native::hello& h) {
    words out{"CH.HELLO", std::string(h.prefix), std::string(h.process)};
    say(out, "EXPIRY", h.agreed.expiry.count() / 1'000);
    say(out, "GEXPIRY", h.agreed.group_expiry.count() / 1'000);
    say(out, "GRACE", h.agreed.grace.count() / 1'000);
    say(out, "CAP", h.agreed.capacities.default_capacity());
    say(out, "CHCAP", h.agreed.channel_capacity);
    say(out, "MAXMSG", h.agreed.message_bytes_max);
    return out;
}

words written(const native::send& s) {
    words out{"CH.SEND", std::string(s.channel), std::string(s.body)};
    if (s.expiry) say(out, "EX", s.expiry->count());
    say(out, "ID", s.id);
    if (s.capacity) say(out, "CAP", *s.capacity);
    return out;
}

words written(const native::receive& r) {
    words out{"CH.RECV", std::string(r.from)};
    if (r.ack) say(out, "ACK", *r.ack);
    if (r.held) say(out, "HELD", *r.held);
    say(out, "COUNT", r.count);
    say(out, "BLOCK", r.block.count());
    return out;
}

words written(const native::acknowledge& a) {
    words out{"CH.ACK", std::string(a.process), std::to_string(a.seq)};
    if (a.held) say(out, "HELD", *a.held);
    return out;
}

// Either shape reads as pairs; one group, or one channel, is common to all.
words written(const char* by_group, const std::vector<native::pair>& pairs) {
    require(!pairs.empty(), "memberships are of something");
    bool one_group = true;
    for (const auto& [group, channel] : pairs) one_group = one_group && group == pairs.front().first;
    words out{one_group ? by_group : "CH.GADDM",
              std::string(one_group ? pairs.front().first : pairs.front().second)};
    for (const auto& [group, channel] : pairs) {
        require(one_group || channel == pairs.front().second, "pairs have a side in common");
        out.emplace_back(one_group ? channel : group);
    }
    return out;
}

words written(const native::join& j) {
    return written("CH.GADD", j.pairs);
}

words written(const native::leave& l) {
    return written("CH.GREM", l.pairs);
}

words written(const native::leave_all& l) {
    words out{"CH.GREMALL"};
    out.insert(out.end(), l.channels.begin(), l.channels.end());
    return out;
}

words written(const native::group_send& g) {
    words out{"CH.GSEND", std::string(g.group), std::string(g.body)};
    say(out, "EXCEPT", g.except.size());
    out.insert(out.end(), g.except.begin(), g.except.end());
    say(out, "ID", g.id);
    if (g.history_items > 0) {
        say(out, "HIST", g.history_items);
        out.push_back(std::to_string(g.history_ttl.count() / 1'000));
    }
    if (g.tallied) out.emplace_back("STATS");
    return out;
}

words written(const native::once& o) {
    return {"CH.ID", std::string(o.key), std::to_string(o.keep.count())};
}

words written(const native::history& h) {
    words out{"CH.HIST", std::string(h.group)};
    if (!h.epoch.empty()) say(out, "SINCE", std::string(h.epoch) + ":" + std::to_string(h.offset));
    say(out, "LIMIT", h.limit);
    return out;
}

words written(const native::count& c) {
    return {"CH.GCOUNT", std::string(c.group)};
}

words written(const native::members& m) {
    return {"CH.GMEMBERS", std::string(m.group),   "CURSOR", std::string(m.cursor),
            "COUNT",       std::to_string(m.count)};
}

words written(const native::groups& g) {
    return {"CH.GROUPS", std::string(g.pattern), "CURSOR", std::string(g.cursor),
            "COUNT",     std::to_string(g.count)};
}

words written(const native::flush& f) {
    words out{"CH.FLUSH"};
    if (!f.prefix.empty()) out.emplace_back(f.prefix);
    return out;
}

words written(const native::stats&) {
    return {"CH.STATS"};
}

words written(const native::info&) {
    return {"CH.INFO"};
}

words written(const native::help&) {
    return {"CH.HELP"};
}

words written(const native::mistake&) {
    return {};
}

words write(const native::command& read) {
    return std::visit([](const auto& each) { return written(each); }, read);
}

void check_error(const std::string& text) {
    bool known = false;
    for (const std::string_view kind : {"ERR ", "BADNAME ", "MSGTOOLARGE "})
        known = known || text.starts_with(kind);
    require(known, "an error is of a known kind");
    require(text.size() < 256, "and short");
    for (const char c : text) require(c >= ' ' && c <= '~', "and one line");
}

void check(const native::command& read) {
    if (const auto* wrong = std::get_if<native::mistake>(&read)) return check_error(wrong->error);
    const words once = write(read);
    const auto again = parse(once);
    require(again.index() == read.index(), "a command written again is the same command");
    require(write(again) == once, "and asks the same");
}

// As a client sends it; else whatever stands between line feeds.
std::vector<std::string_view> cut(std::string_view input, resp::scanned_command& room) {
    resp::command_scanner scanner;
    if (input.starts_with('*')) {
        const auto status = scanner.scan(input, resp::peer_trust::known, room);
        return status == resp::scan_status::command ? room.args : std::vector<std::string_view>{};
    }
    std::vector<std::string_view> args;
    for (std::size_t at = 0; at <= input.size();) {
        const std::size_t end = std::min(input.find('\n', at), input.size());
        args.push_back(input.substr(at, end - at));
        at = end + 1;
    }
    return args;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input = inflate({reinterpret_cast<const char*>(data), size}, 16 * bytes_max);
    resp::scanned_command room;
    const auto args = cut(input, room);
    if (!args.empty()) check(native::parse(args, bytes_max));
    return 0;
}
