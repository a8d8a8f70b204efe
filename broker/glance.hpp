#pragma once
// Who a message is, from its end alone. kombu writes the body first and headers and properties behind it, so
// the last kilobytes of a message of any size tell its tag, task and id.

#include <cstdint>
#include <optional>
#include <string_view>

#include "broker/envelope.hpp"

namespace broker {

// Behind this a message is noted by its tail of glance_tail_bytes.
inline constexpr std::size_t glance_whole_max = std::size_t{16} << 10;
inline constexpr std::size_t glance_tail_bytes = std::size_t{8} << 10;

enum class glimpse : std::uint8_t {
    whole,            // everything a head can hold
    properties_only,  // the headers are longer than the tail: tag, routing and priority are known, no task
};

struct glance_result {
    message_head head;
    glimpse of = glimpse::whole;
};

// `tail` is the message, or its end when `size` is larger. Also reads values of the hash `unacked` (whole or
// by their tail). nullopt when it is not kombu's as far as can be seen.
[[nodiscard]] std::optional<glance_result> glance(std::string_view tail, std::uint64_t size);
[[nodiscard]] inline std::optional<glance_result> glance(std::string_view whole) {
    return glance(whole, whole.size());
}

}  // namespace broker
