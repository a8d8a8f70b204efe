#pragma once
// The names kombu gives to keys and channels, read and built. Nothing here is guessed from a name alone where
// kombu lets it be configured: separator, priority steps and prefix are a `naming`, learnt from the keys of a
// BRPOP, which list every queue once for each priority step.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

// Joins the parts of a binding, always; a queue and its priority, unless configured otherwise.
inline constexpr std::string_view binding_separator{"\x06\x16", 2};
// What the sidecar keeps in a broker's db; hidden from every view.
inline constexpr std::string_view own_prefix = "__sidecar:";

// How one application names its keys.
struct naming {
    std::string prefix;  // global_keyprefix
    std::string separator{binding_separator};
    std::vector<int> steps{0, 3, 6, 9};  // ascending, the first is the bare name

    friend bool operator==(const naming&, const naming&) = default;
};

// One of the lists a queue consists of. Priority 0 runs first.
struct queue_list {
    std::string_view queue;  // without the prefix
    int priority = 0;

    friend bool operator==(const queue_list&, const queue_list&) = default;
};

// nullopt when the key lacks the prefix. A suffix counts as priority only when it is one of the steps.
[[nodiscard]] std::optional<queue_list> parse_list_key(std::string_view key, const naming& names);
[[nodiscard]] std::string list_key(std::string_view queue, int priority, const naming& names);
// All lists of a queue, in the order they are served.
[[nodiscard]] std::vector<std::string> list_keys(std::string_view queue, const naming& names);
// The step at which kombu files a message of this priority: clamped to 0…9, then rounded down.
[[nodiscard]] int priority_step(std::int64_t priority, const naming& names);

// What the keys of one BRPOP tell: the queues it serves (prefix included), separator and steps. A single step
// tells no separator: the naming's default stays, and `certain` is false.
struct learnt_lists {
    std::vector<std::string> queues;
    std::string separator{binding_separator};
    std::vector<int> steps{0};
    bool certain = false;
};
[[nodiscard]] learnt_lists learn_lists(std::span<const std::string_view> keys);

enum class key_kind : std::uint8_t {
    list,           // a queue, or anything that looks like one
    unacked,        // hash: tag → message
    unacked_index,  // sorted set: tag → when it was taken
    unacked_mutex,
    binding,       // _kombu.binding.<exchange>
    pidbox_queue,  // <node>.celery.pidbox: exists in bindings only
    pidbox_reply,  // <oid>.reply.celery.pidbox
    event_queue,   // celeryev.<uuid>
    broadcast,     // bcast.<uuid>: a list nobody pops
    rpc_reply,     // a bare uuid: results of the rpc backend
    result,        // celery-task-meta-…, celery-taskset-meta-…
    own,           // the sidecar's
};
struct key_role {
    key_kind kind = key_kind::list;
    std::string_view prefix;  // known for unacked*, binding; empty else
    std::string_view name;    // binding: its exchange; result: the id; else the key
};
// By name alone, with the names kombu has by default. `list` says no more than that nothing else fits.
[[nodiscard]] key_role classify_key(std::string_view key);
// A queue an operator thinks of as one: not a mailbox, reply list, broadcast or event queue.
[[nodiscard]] bool is_work_queue(std::string_view queue);
[[nodiscard]] bool is_uuid(std::string_view text);

// A member of _kombu.binding.<exchange>. `pattern` is a Python regular expression, empty for direct
// exchanges.
struct binding {
    std::string_view routing_key;
    std::string_view pattern;
    std::string_view queue;  // never prefixed
};
[[nodiscard]] std::optional<binding> parse_binding(std::string_view member);
[[nodiscard]] std::string binding_member(const binding& of);
[[nodiscard]] std::string binding_key(std::string_view exchange, const naming& names);

// A fanout exchange as a pub/sub channel: [prefix]/db.exchange[/routing.key], also as a pattern.
struct fanout_channel {
    std::string_view prefix;
    int db = 0;
    std::string_view exchange;     // celeryev, celery.pidbox, …
    std::string_view routing_key;  // worker.heartbeat, task.multi, …
};
[[nodiscard]] std::optional<fanout_channel> parse_fanout(std::string_view channel);
[[nodiscard]] std::string fanout_name(const fanout_channel& of);

inline constexpr std::string_view pidbox_exchange = "celery.pidbox";
inline constexpr std::string_view pidbox_reply_exchange = "reply.celery.pidbox";
inline constexpr std::string_view event_exchange = "celeryev";

// Keys of the Redis result backend; the prefix is that of its own transport options.
[[nodiscard]] std::string result_key(std::string_view task_id, std::string_view prefix = {});
struct group_keys {
    std::string results;  // sorted set: group_index → [1, id, state, result]
    std::string size;     // how many results the chord waits for
    std::string meta;     // the saved group itself
};
[[nodiscard]] group_keys group_result_keys(std::string_view group_id, std::string_view prefix = {});

}  // namespace broker
