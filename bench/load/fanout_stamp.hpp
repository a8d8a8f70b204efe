#pragma once
// What a measured message says of itself, as text at the front of its payload: when it was due (not when it
// was sent: a sender that is late makes the latency longer, not the sample smaller), by whom, its number.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

struct stamp {
    std::uint64_t due_ns = 0;  // of the monotonic clock that all processes of a machine share
    std::uint32_t publisher = 0;
    std::uint32_t seq = 0;
    bool operator==(const stamp&) const = default;
};

inline constexpr std::size_t stamp_bytes = 32;

// A payload of the wanted size, or of stamp_bytes where that is more.
[[nodiscard]] std::string stamped_payload(const stamp& says, std::size_t bytes);
// nullopt: not a payload of this tester.
[[nodiscard]] std::optional<stamp> read_stamp(std::string_view payload);

}  // namespace bench
