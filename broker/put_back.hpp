#pragma once
// Elements popped for a client that was gone before the reply reached it go back where they came from: the
// same end of the list, or the sorted set with their scores. Re-creating a key loses its expiry, so the
// former TTL is given back too when it is known.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/blocking_call.hpp"

namespace broker {

struct popped {
    std::string key;
    enum class where : std::uint8_t { list_head, list_tail, sorted_set } from{};
    std::vector<std::string> elements;  // in the order they were popped
    std::vector<std::string> scores;    // sorted_set only, as text that reads back exactly
};

// Reads a pop's reply (RESP2 or RESP3 bytes, complete). nullopt for nil, errors, and calls that do not pop.
[[nodiscard]] std::optional<popped> read_popped(const blocking_call& call, std::string_view reply);

// One EVAL (RESP bytes) that puts the elements back atomically: pushed so that the next pop of the same kind
// returns them in the original order; ZADD NX for sorted sets (an element added meanwhile keeps its newer
// score). `ttl_ms` (> 0) is applied only if the key did not exist before. Fails (error reply) when the key
// now holds another type.
//
// `token` names a key that the script leaves behind: run again with the same token, as after a lost answer,
// it does nothing. Whoever has seen its answer removes the key; it expires after an hour.
[[nodiscard]] std::string put_back_command(const popped& what, std::optional<std::int64_t> ttl_ms,
                                           std::string_view token);

}  // namespace broker
