#pragma once
// A blocking command as a value: what it waits for, how long, and how to ask the same question without
// blocking or with less time. The proxy parks it on a connection of its own while such connections are free,
// and serves it by the non-blocking twin at intervals when they are not; either way the client sees one
// reply.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

enum class blocking_kind : std::uint8_t {
    blpop,
    brpop,
    blmove,
    brpoplpush,
    blmpop,
    bzmpop,
    bzpopmin,
    bzpopmax,
    xread,
    xreadgroup
};

// What the arguments of a command amount to.
enum class blocking_parse : std::uint8_t {
    not_blocking,  // not such a command, or XREAD[GROUP] without BLOCK: treat as any other
    invalid,       // Redis will answer an error at once (bad timeout, wrong arity, syntax): forward as it is
    blocking,      // `call` is filled
};

struct blocking_call {
    blocking_kind kind{};
    std::vector<std::string> args;  // the command as the client sent it, owned
    std::vector<std::string> keys;  // the keys it may pop from or read
    std::size_t timeout_index = 0;  // which argument is the timeout
    // nullopt = for ever. Milliseconds rounded up, as Redis does.
    std::optional<std::chrono::milliseconds> timeout;

    // Equal for calls that any one reply could satisfy alike: everything but the timeout.
    [[nodiscard]] std::string coalescing_key() const;

    // RESP bytes of the same call with another timeout (seconds or milliseconds as the command has it; never
    // 0 unless the call waits for ever: a remainder of 0 is sent as the shortest non-zero wait).
    [[nodiscard]] std::string with_timeout(std::optional<std::chrono::milliseconds> remaining) const;

    // RESP bytes of the non-blocking twin (LMPOP, ZMPOP, LMOVE, RPOPLPUSH, XREAD without BLOCK …). Works on
    // Redis >= 7.0. XREAD ids of `$` must have been replaced by resolve_dollar before.
    [[nodiscard]] std::string as_poll() const;

    // True when every reply that is not nil removes elements that only this reply carries, so that they can
    // be put back: BLPOP, BRPOP, BLMPOP, BZPOPMIN, BZPOPMAX, BZMPOP. (BLMOVE, BRPOPLPUSH and XREADGROUP leave
    // them in Redis; XREAD removes nothing.)
    [[nodiscard]] bool pops() const;

    // XREAD only: indexes into args of ids that are `$`, each with its key. Empty for all else.
    struct dollar_id {
        std::size_t arg_index;
        std::string key;
    };
    [[nodiscard]] std::vector<dollar_id> dollar_ids() const;
};

[[nodiscard]] blocking_parse parse_blocking(std::span<const std::string_view> args, blocking_call& call);

// The bytes the client would have received from the blocking command, made from the poll's reply bytes
// (complete, of the same protocol version). nullopt = the poll found nothing (nil). An error reply is
// returned as it is.
[[nodiscard]] std::optional<std::string> reply_from_poll(const blocking_call& call,
                                                         std::string_view poll_reply, int protocol);

// What a client is told when its time is over: "*-1" in RESP2, "_" in RESP3 (what redis-server 7.0 sends is
// the reference for each kind).
[[nodiscard]] std::string_view timeout_reply(const blocking_call& call, int protocol);

}  // namespace broker
