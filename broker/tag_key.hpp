#pragma once
// A delivery tag in sixteen bytes. kombu's tags are uuids, which fit; any other text is hashed.

#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>

namespace broker {

struct tag_key {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    bool operator==(const tag_key&) const = default;
};

struct tag_key_hash {
    std::size_t operator()(const tag_key& key) const { return key.high ^ (key.low * 0x9e3779b97f4a7c15ULL); }
};

[[nodiscard]] inline tag_key key_of(std::string_view tag) {
    std::uint64_t parts[2] = {0, 0};
    std::size_t digits = 0;
    for (const char c : tag) {
        if (c == '-') continue;
        const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (value < 0 || digits == 32) {
            digits = 0;
            break;
        }
        std::uint64_t& part = parts[digits / 16];
        part = (part << 4) | static_cast<std::uint64_t>(value);
        ++digits;
    }
    if (digits == 32) return {parts[0], parts[1]};
    const std::hash<std::string_view> hash;
    const std::uint64_t first = hash(tag);
    return {first, (first ^ tag.size()) * 0xff51afd7ed558ccdULL + 1};
}

}  // namespace broker
