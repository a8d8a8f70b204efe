#pragma once
// What channels_redis's core layer (releases 3.0.1 to 4.3) says to Redis, recognised by the hashes of its
// three scripts and the shapes of its keys. K is the queue of a process or of a normal channel:
//
//   send        trim K · ZCOUNT K · enqueue K · expire K
//   receive     cleanup K · receive K · confirm K$inflight · [delivered] · clean K$inflight
//   groups      group_add, expire · group_discard · trim, ZRANGE, trims in MULTI, group_send K…
//
// A cleanup puts what stands in K$inflight back into K: it is how a cancelled receive is undone.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace channels {

enum class layer_step : std::uint8_t {
    other,
    cleanup,
    group_send,
    flush,
    receive,  // any BZPOPMIN of one key: whether the layer sent it, the key must tell
    confirm,
    clean,
    enqueue,  // any ZADD of one member
    trim,
    expire,
    group_add,
    group_discard,
};

struct layer_command {
    layer_step step = layer_step::other;
    std::string_view key;      // the queue (without "$inflight") or the group's key
    std::string_view score;    // of confirm
    std::string_view member;   // of confirm
    bool script_text = false;  // EVAL: it may go by its hash
};

inline constexpr std::string_view inflight_suffix = "$inflight";

// `name`: of the command, lower case.
[[nodiscard]] layer_command recognise_layer(std::string_view name, std::span<const std::string_view> args);

// The hash that names the script of such a step; empty for steps without one.
[[nodiscard]] std::string_view script_hash(layer_step step);

// The step's repetition leaves what its first run left.
[[nodiscard]] bool is_idempotent(const layer_command& command);

// A process's queue has one reader; a normal channel's may have several.
[[nodiscard]] inline bool has_one_reader(std::string_view queue_key) {
    return queue_key.ends_with('!');
}
[[nodiscard]] std::string inflight_key(std::string_view queue_key);

}  // namespace channels
