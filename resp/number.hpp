#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace resp {

// A whole number exactly as Redis reads one from the wire: an optional '-', no '+', no leading zeros, no
// blanks, within 64 bits.
[[nodiscard]] inline std::optional<std::int64_t> parse_number(std::string_view text) {
    if (text.empty() || text.size() > 20) return std::nullopt;
    if (text == "0") return 0;
    const bool negative = text.front() == '-';
    if (negative) text.remove_prefix(1);
    if (text.empty() || text.front() < '1' || text.front() > '9') return std::nullopt;
    std::uint64_t magnitude = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (magnitude > (UINT64_MAX - digit) / 10) return std::nullopt;
        magnitude = magnitude * 10 + digit;
    }
    const std::uint64_t limit = static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1U : 0U);
    if (magnitude > limit) return std::nullopt;
    return negative ? static_cast<std::int64_t>(0U - magnitude) : static_cast<std::int64_t>(magnitude);
}

}  // namespace resp
