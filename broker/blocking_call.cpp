#include "broker/blocking_call.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "broker/stream_options.hpp"
#include "resp/number.hpp"
#include "resp/writer.hpp"

namespace broker {
namespace {

using std::chrono::milliseconds;
using views = std::vector<std::string_view>;

views views_of(const std::vector<std::string>& args) {
    return {args.begin(), args.end()};
}

std::string bytes_of(const views& args) {
    std::string out;
    resp::append_command(out, args);
    return out;
}

// LMPOP and ZMPOP for a command that takes its keys without a count.
std::string multi_pop(std::string_view name, const std::vector<std::string>& keys, std::string_view end) {
    const std::string count = std::to_string(keys.size());
    views args{name, count};
    args.insert(args.end(), keys.begin(), keys.end());
    args.push_back(end);
    return bytes_of(args);
}

// The arguments from `first` on under another name.
std::string renamed(std::string_view name, views args, std::size_t first, std::size_t last) {
    views out{name};
    out.insert(out.end(), args.begin() + static_cast<std::ptrdiff_t>(first),
               args.begin() + static_cast<std::ptrdiff_t>(last));
    return bytes_of(out);
}

std::string without_block(const std::vector<std::string>& owned) {
    views args = views_of(owned);
    const auto blocks = read_stream_options(args).blocks;
    for (auto at = blocks.rbegin(); at != blocks.rend(); ++at) {
        const auto value = args.begin() + static_cast<std::ptrdiff_t>(*at);
        args.erase(value - 1, value + 1);
    }
    return bytes_of(args);
}

// A multi-pop's reply is the key and a list of elements; the plain pop's is the key and the one element. The
// frame of the key stays, the headers around it change: `inner` goes, the outer becomes `outer`.
std::optional<std::string> flatten(std::string_view reply, std::string_view outer, std::string_view inner) {
    constexpr std::string_view pair = "*2\r\n";
    if (!reply.starts_with(pair)) return std::nullopt;
    const std::string_view rest = reply.substr(pair.size());
    const std::size_t line_end = rest.find("\r\n");
    if (line_end == std::string_view::npos || !rest.starts_with('$')) return std::nullopt;
    const auto length = resp::parse_number(rest.substr(1, line_end - 1));
    if (!length || *length < 0 || static_cast<std::size_t>(*length) > rest.size()) return std::nullopt;
    const std::size_t key_end = line_end + 2 + static_cast<std::size_t>(*length) + 2;
    if (key_end > rest.size() || !rest.substr(key_end).starts_with(inner)) return std::nullopt;
    std::string out;
    out.reserve(reply.size());
    out.append(outer).append(rest.substr(0, key_end)).append(rest.substr(key_end + inner.size()));
    return out;
}

}  // namespace

std::string blocking_call::coalescing_key() const {
    std::string name = args[0];
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    std::string key;
    resp::append_bulk(key, name);
    for (std::size_t i = 1; i < args.size(); ++i) {
        if (i != timeout_index) resp::append_bulk(key, args[i]);
    }
    return key;
}

std::string blocking_call::with_timeout(std::optional<milliseconds> remaining) const {
    views out = views_of(args);
    std::string text;
    if (remaining) {
        const auto count = std::max<std::int64_t>(remaining->count(), 1);
        text = std::to_string(count);
        if (!reads_streams(kind)) {
            const std::string fraction = std::to_string(1000 + count % 1000);
            text = std::to_string(count / 1000) + '.' + fraction.substr(1);
        }
        out[timeout_index] = text;
    }
    return bytes_of(out);
}

std::string blocking_call::as_poll() const {
    switch (kind) {
        case blocking_kind::blpop:
            return multi_pop("LMPOP", keys, "LEFT");
        case blocking_kind::brpop:
            return multi_pop("LMPOP", keys, "RIGHT");
        case blocking_kind::bzpopmin:
            return multi_pop("ZMPOP", keys, "MIN");
        case blocking_kind::bzpopmax:
            return multi_pop("ZMPOP", keys, "MAX");
        case blocking_kind::blmove:
            return renamed("LMOVE", views_of(args), 1, timeout_index);
        case blocking_kind::brpoplpush:
            return renamed("RPOPLPUSH", views_of(args), 1, timeout_index);
        case blocking_kind::blmpop:
            return renamed("LMPOP", views_of(args), 2, args.size());
        case blocking_kind::bzmpop:
            return renamed("ZMPOP", views_of(args), 2, args.size());
        case blocking_kind::xread:
        case blocking_kind::xreadgroup:
            return without_block(args);
    }
    return {};
}

bool blocking_call::pops() const {
    return !reads_streams(kind) && kind != blocking_kind::blmove && kind != blocking_kind::brpoplpush;
}

std::vector<blocking_call::dollar_id> blocking_call::dollar_ids() const {
    std::vector<dollar_id> found;
    if (kind != blocking_kind::xread) return found;
    const stream_options options = read_stream_options(views_of(args));
    for (std::size_t i = 0; i < options.keys; ++i) {
        const std::size_t at = options.first_key + options.keys + i;
        if (args[at] == "$") found.push_back({at, keys[i]});
    }
    return found;
}

std::optional<std::string> reply_from_poll(const blocking_call& call, std::string_view poll_reply, int) {
    for (const std::string_view nil : {"*-1\r\n", "$-1\r\n", "_\r\n"}) {
        if (poll_reply == nil) return std::nullopt;
    }
    std::optional<std::string> changed;
    if (call.kind == blocking_kind::blpop || call.kind == blocking_kind::brpop) {
        changed = flatten(poll_reply, "*2\r\n", "*1\r\n");
    } else if (call.kind == blocking_kind::bzpopmin || call.kind == blocking_kind::bzpopmax) {
        changed = flatten(poll_reply, "*3\r\n", "*1\r\n*2\r\n");
    }
    return changed ? std::move(*changed) : std::string(poll_reply);
}

std::string_view timeout_reply(const blocking_call&, int protocol) {
    return protocol == 3 ? "_\r\n" : "*-1\r\n";
}

}  // namespace broker
