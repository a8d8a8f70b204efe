#include "channels/native_command.hpp"

#include <strings.h>

#include <algorithm>

#include "channels/channel_name.hpp"
#include "resp/number.hpp"

namespace channels::native {

namespace {

using words = std::span<const std::string_view>;
using std::chrono::milliseconds;

constexpr std::uint32_t capacity_max = 1'000'000;
constexpr std::uint64_t seconds_max = 31'536'000;  // a year
constexpr std::uint64_t held_max = 1'000'000'000;
constexpr std::uint32_t count_max = 10'000;
constexpr std::uint32_t history_items_max = 1'000'000;
constexpr std::size_t id_bytes_max = 256;
constexpr std::size_t cursor_bytes_max = 256;

bool same(std::string_view a, std::string_view b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

mistake syntax(std::string_view at) {
    std::string text = "ERR syntax error at '";
    for (const char c : at.substr(0, 64)) text += c >= ' ' && c <= '~' ? c : '.';
    return {text + "'"};
}

mistake bad_name() {
    return {
        "BADNAME names are of letters, digits, '.', '_', '-', a channel has at most one '!', and less than "
        "100 bytes"};
}

mistake too_large(std::uint64_t max) {
    return {"MSGTOOLARGE a message has at most " + std::to_string(max) + " bytes"};
}

// Reads options one after the other; the first that is wrong is kept.
class reader {
public:
    explicit reader(words rest) : rest_(rest) {}

    [[nodiscard]] bool more() const { return !wrong_ && !rest_.empty(); }
    [[nodiscard]] bool failed() const { return wrong_.has_value(); }
    [[nodiscard]] mistake why() const { return *wrong_; }
    void fail(mistake m) {
        if (!wrong_) wrong_ = std::move(m);
    }
    std::string_view word() {
        if (rest_.empty()) {
            fail({"ERR syntax error: an option's value is missing"});
            return {};
        }
        const auto next = rest_.front();
        rest_ = rest_.subspan(1);
        return next;
    }
    std::uint64_t number(std::uint64_t min, std::uint64_t max) {
        const auto text = word();
        if (wrong_) return min;
        const auto value = resp::parse_number(text);
        if (!value || *value < 0 || static_cast<std::uint64_t>(*value) < min ||
            static_cast<std::uint64_t>(*value) > max) {
            fail({"ERR value is not an integer or out of range"});
            return min;
        }
        return static_cast<std::uint64_t>(*value);
    }
    std::uint32_t small(std::uint32_t min, std::uint32_t max) {
        return static_cast<std::uint32_t>(number(min, max));
    }
    milliseconds seconds(std::uint64_t min) {
        return milliseconds(static_cast<std::int64_t>(number(min, seconds_max) * 1'000));
    }
    milliseconds ms(std::uint64_t min, std::uint64_t max) {
        return milliseconds(static_cast<std::int64_t>(number(min, max)));
    }
    std::string_view channel() {
        const auto name = word();
        if (!wrong_ && !valid_channel_name(name)) fail(bad_name());
        return name;
    }
    std::string_view prefix() {
        const auto name = word();
        if (!wrong_ && !valid_prefix(name)) fail(bad_name());
        return name;
    }
    std::string_view group() {
        const auto name = word();
        if (!wrong_ && !valid_group_name(name)) fail(bad_name());
        return name;
    }
    std::string_view body(std::uint64_t bytes_max) {
        const auto text = word();
        if (text.size() > bytes_max) fail(too_large(bytes_max));
        return text;
    }
    std::string_view id() {
        const auto text = word();
        if (!wrong_ && (text.empty() || text.size() > id_bytes_max))
            fail({"ERR an ID has 1 to " + std::to_string(id_bytes_max) + " bytes"});
        return text;
    }
    std::string_view cursor() {
        const auto text = word();
        if (text.size() > cursor_bytes_max) fail({"ERR invalid cursor"});
        return text;
    }

private:
    words rest_;
    std::optional<mistake> wrong_;
};

void read_rule(reader& in, capacity_rules& rules) {
    const auto kind = in.word();
    const auto pattern = in.word();
    const auto capacity = in.small(1, capacity_max);
    if (in.failed()) return;
    if (same(kind, "regex"))
        return in.fail({"ERR CAPRULE knows no regex: say CAP in each CH.SEND that it concerns"});
    if (!same(kind, "glob")) return in.fail(syntax(kind));
    auto made = name_pattern::glob(pattern);
    if (!made) return in.fail({"ERR CAPRULE has a pattern that is not understood"});
    if (!rules.add(std::move(*made), capacity))
        in.fail({"ERR at most " + std::to_string(capacity_rules::rules_max) + " CAPRULEs"});
}

command read_hello(reader& in) {
    hello h;
    h.prefix = in.prefix();
    h.process = in.group();
    while (in.more()) {
        const auto option = in.word();
        if (same(option, "expiry")) {
            h.agreed.expiry = in.seconds(1);
        } else if (same(option, "gexpiry")) {
            h.agreed.group_expiry = in.seconds(1);
        } else if (same(option, "cap")) {
            h.agreed.capacities.set_default(in.small(1, capacity_max));
        } else if (same(option, "chcap")) {
            h.agreed.channel_capacity = in.small(0, capacity_max);
        } else if (same(option, "caprule")) {
            read_rule(in, h.agreed.capacities);
        } else if (same(option, "grace")) {
            h.agreed.grace = in.seconds(0);
        } else if (same(option, "maxmsg")) {
            h.agreed.message_bytes_max = in.number(1, message_bytes_limit);
        } else {
            in.fail(syntax(option));
        }
    }
    return h;
}

command read_send(reader& in, std::uint64_t bytes_max) {
    send s;
    s.channel = in.channel();
    s.body = in.body(bytes_max);
    while (in.more()) {
        const auto option = in.word();
        if (same(option, "ex")) {
            s.expiry = in.ms(1, seconds_max * 1'000);
        } else if (same(option, "id")) {
            s.id = in.id();
        } else if (same(option, "cap")) {
            s.capacity = in.small(1, capacity_max);
        } else {
            in.fail(syntax(option));
        }
    }
    return s;
}

command read_receive(reader& in) {
    receive r;
    r.from = in.group();
    while (in.more()) {
        const auto option = in.word();
        if (same(option, "ack")) {
            r.ack = in.number(0, INT64_MAX);
        } else if (same(option, "held")) {
            r.held = in.number(0, held_max);
        } else if (same(option, "count")) {
            r.count = in.small(1, count_max);
        } else if (same(option, "block")) {
            r.block = std::min(in.ms(0, seconds_max * 1'000), block_max);
        } else {
            in.fail(syntax(option));
        }
    }
    return r;
}

command read_acknowledge(reader& in) {
    acknowledge a;
    a.process = in.group();
    a.seq = in.number(0, INT64_MAX);
    while (in.more()) {
        const auto option = in.word();
        if (!same(option, "held")) {
            in.fail(syntax(option));
            break;
        }
        a.held = in.number(0, held_max);
    }
    return a;
}

enum class shape : std::uint8_t { group_first, channel_first };

std::vector<pair> read_pairs(reader& in, shape order) {
    std::vector<pair> pairs;
    const auto first = order == shape::group_first ? in.group() : in.channel();
    do {
        if (order == shape::group_first) {
            pairs.emplace_back(first, in.channel());
        } else {
            pairs.emplace_back(in.group(), first);
        }
    } while (in.more());
    return pairs;
}

command read_leave_all(reader& in) {
    leave_all l;
    do {
        l.channels.push_back(in.channel());
    } while (in.more());
    return l;
}

command read_group_send(reader& in, std::uint64_t bytes_max) {
    group_send g;
    g.group = in.group();
    g.body = in.body(bytes_max);
    while (in.more()) {
        const auto option = in.word();
        if (same(option, "except")) {
            for (auto left = in.small(0, count_max); left > 0 && !in.failed(); --left)
                g.except.push_back(in.channel());
        } else if (same(option, "id")) {
            g.id = in.id();
        } else if (same(option, "hist")) {
            g.history_items = in.small(1, history_items_max);
            g.history_ttl = in.seconds(1);
        } else if (same(option, "stats")) {
            g.tallied = true;
        } else {
            in.fail(syntax(option));
        }
    }
    return g;
}

command read_once(reader& in) {
    once o;
    o.key = in.id();
    if (in.more()) o.keep = in.ms(1, seconds_max * 1'000);
    return o;
}

command read_history(reader& in) {
    history h;
    h.group = in.group();
    while (in.more()) {
        const auto option = in.word();
        if (same(option, "limit")) {
            h.limit = in.small(1, count_max);
        } else if (same(option, "since")) {
            const auto place = in.word();
            const auto colon = place.rfind(':');
            const auto number = colon == std::string_view::npos || colon == 0
                                    ? std::nullopt
                                    : resp::parse_number(place.substr(colon + 1));
            if (!number || *number < 0 || place.size() > cursor_bytes_max) {
                in.fail({"ERR SINCE wants epoch:offset"});
                break;
            }
            h.epoch = place.substr(0, colon);
            h.offset = static_cast<std::uint64_t>(*number);
        } else {
            in.fail(syntax(option));
        }
    }
    return h;
}

template <class Page>
void read_page(reader& in, Page& page) {
    while (in.more()) {
        const auto option = in.word();
        if (same(option, "cursor")) {
            page.cursor = in.cursor();
        } else if (same(option, "count")) {
            page.count = in.small(1, count_max);
        } else {
            in.fail(syntax(option));
        }
    }
}

command read_members(reader& in) {
    members m;
    m.group = in.group();
    read_page(in, m);
    return m;
}

command read_groups(reader& in) {
    groups g;
    g.pattern = in.word();
    if (g.pattern.empty() || g.pattern.size() > name_pattern::pattern_bytes_max) in.fail(syntax(g.pattern));
    read_page(in, g);
    return g;
}

command read_flush(reader& in) {
    flush f;
    if (in.more()) f.prefix = in.prefix();
    return f;
}

command read_named(std::string_view name, reader& in, std::uint64_t bytes_max) {
    if (same(name, "ch.hello")) return read_hello(in);
    if (same(name, "ch.send")) return read_send(in, bytes_max);
    if (same(name, "ch.recv")) return read_receive(in);
    if (same(name, "ch.ack")) return read_acknowledge(in);
    if (same(name, "ch.gsend")) return read_group_send(in, bytes_max);
    if (same(name, "ch.gadd")) return join{read_pairs(in, shape::group_first)};
    if (same(name, "ch.gaddm")) return join{read_pairs(in, shape::channel_first)};
    if (same(name, "ch.grem")) return leave{read_pairs(in, shape::group_first)};
    if (same(name, "ch.gremall")) return read_leave_all(in);
    if (same(name, "ch.id")) return read_once(in);
    if (same(name, "ch.hist")) return read_history(in);
    if (same(name, "ch.gcount")) return count{in.group()};
    if (same(name, "ch.gmembers")) return read_members(in);
    if (same(name, "ch.groups")) return read_groups(in);
    if (same(name, "ch.flush")) return read_flush(in);
    if (same(name, "ch.stats")) return stats{};
    if (same(name, "ch.info")) return info{};
    if (same(name, "ch.help")) return help{};
    return mistake{"ERR unknown command of the channel layer. Try CH.HELP."};
}

}  // namespace

command parse(std::span<const std::string_view> args, std::uint64_t message_bytes_max) {
    reader in(args.subspan(1));
    command read = read_named(args[0], in, std::min(message_bytes_max, message_bytes_limit));
    if (in.failed()) return in.why();
    if (in.more()) return syntax(in.word());
    return read;
}

}  // namespace channels::native
