#include "broker/put_back.hpp"

#include "broker/stream_options.hpp"
#include "resp/value.hpp"
#include "resp/writer.hpp"

namespace broker {
namespace {

using where = popped::where;

// KEYS[1] the key, KEYS[2] the token; ARGV: the former TTL or 0, then elements, or scores each followed by
// its member. The first push fails on a key of another type before anything has changed. Pushed in portions,
// because Lua can unpack only some thousand values at once.
constexpr std::string_view script_head =
    "if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end\n"
    "local fresh = redis.call('EXISTS', KEYS[1]) == 0\n"
    "for first = 2, #ARGV, 1000 do\n"
    "  local last = math.min(first + 999, #ARGV)\n";
constexpr std::string_view script_tail =
    "end\n"
    "local ttl = tonumber(ARGV[1])\n"
    "if fresh and ttl > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end\n"
    "redis.call('SET', KEYS[2], '', 'EX', 3600)\n"
    "return 1";
constexpr std::string_view push_head = "  redis.call('LPUSH', KEYS[1], unpack(ARGV, first, last))\n";
constexpr std::string_view push_tail = "  redis.call('RPUSH', KEYS[1], unpack(ARGV, first, last))\n";
constexpr std::string_view push_scores = "  redis.call('ZADD', KEYS[1], 'NX', unpack(ARGV, first, last))\n";

std::string_view push_line(where from) {
    switch (from) {
        case where::list_head:
            return push_head;
        case where::list_tail:
            return push_tail;
        case where::sorted_set:
            return push_scores;
    }
    return {};
}

where popped_from(const blocking_call& call) {
    switch (call.kind) {
        case blocking_kind::blpop:
            return where::list_head;
        case blocking_kind::brpop:
            return where::list_tail;
        case blocking_kind::blmpop:
            return same_word(call.args[3 + call.keys.size()], "left") ? where::list_head : where::list_tail;
        default:
            return where::sorted_set;
    }
}

bool is_score(const resp::value& v) {
    return v.is_text() || v.type == resp::kind::real || v.type == resp::kind::integer;
}

bool add_scored(popped& what, const resp::value& member, const resp::value& score) {
    if (!member.is_text() || !is_score(score)) return false;
    what.elements.push_back(member.text);
    what.scores.push_back(score.type == resp::kind::integer ? std::to_string(score.integer) : score.text);
    return true;
}

bool add_elements(popped& what, const resp::value& list) {
    if (!list.is_aggregate() || list.items.empty()) return false;
    for (const resp::value& item : list.items) {
        if (what.from == where::sorted_set) {
            if (item.items.size() != 2 || !add_scored(what, item.items[0], item.items[1])) return false;
        } else {
            if (!item.is_text()) return false;
            what.elements.push_back(item.text);
        }
    }
    return true;
}

}  // namespace

std::optional<popped> read_popped(const blocking_call& call, std::string_view reply) {
    if (!call.pops()) return std::nullopt;
    const auto tree = resp::parse_value(reply);
    if (!tree || !tree->is_aggregate() || tree->items.size() < 2 || !tree->items[0].is_text())
        return std::nullopt;
    popped what;
    what.key = tree->items[0].text;
    what.from = popped_from(call);
    const bool scored = call.kind == blocking_kind::bzpopmin || call.kind == blocking_kind::bzpopmax;
    bool read = false;
    if (scored) {
        read = tree->items.size() == 3 && add_scored(what, tree->items[1], tree->items[2]);
    } else if (call.kind == blocking_kind::blmpop || call.kind == blocking_kind::bzmpop) {
        read = add_elements(what, tree->items[1]);
    } else {
        read = tree->items[1].is_text();
        what.elements.push_back(tree->items[1].text);
    }
    return read ? std::optional(std::move(what)) : std::nullopt;
}

std::string put_back_command(const popped& what, std::optional<std::int64_t> ttl_ms, std::string_view token) {
    std::string script(script_head);
    script.append(push_line(what.from)).append(script_tail);
    const std::string ttl = std::to_string(ttl_ms && *ttl_ms > 0 ? *ttl_ms : 0);
    std::vector<std::string_view> args{"EVAL", script, "2", what.key, token, ttl};
    // The element popped last was nearest to the rest, so it goes back first.
    for (std::size_t i = what.elements.size(); i-- > 0;) {
        if (what.from == popped::where::sorted_set) args.push_back(what.scores[i]);
        args.push_back(what.elements[i]);
    }
    std::string out;
    resp::append_command(out, args);
    return out;
}

}  // namespace broker
