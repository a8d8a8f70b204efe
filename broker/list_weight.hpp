#pragma once
// How many elements of a list may be read at once, judged by what the list weighs. Redis cannot tell the size
// of one element without copying it, but MEMORY USAGE walks over a list's nodes without touching what they
// hold. A script that returned only the end of an element would copy it three times where LRANGE copies it
// once, so that large elements are read one by one, and none behind the first.

#include <cstdint>
#include <string>

#include "broker/redis_port.hpp"

namespace broker {

// Of larger elements only the end is kept, unless one was asked for by its tag.
inline constexpr std::size_t large_element_bytes = std::size_t{1} << 20;

// Nodes that are weighed: 2,048 hold more than ten thousand small messages or as many large ones.
inline constexpr std::int64_t weighed_nodes = 2'048;

// `bytes`: of the whole list; 0 when Redis did not say.
[[nodiscard]] std::int64_t elements_at_once(std::int64_t length, std::int64_t bytes);

// Asks Redis for both.
[[nodiscard]] std::int64_t elements_at_once(redis_port& redis, const std::string& key);

}  // namespace broker
