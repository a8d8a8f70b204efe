#pragma once
// A glob over names.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace channels {

class name_pattern {
public:
    static constexpr std::size_t pattern_bytes_max = 256;

    // nullopt: empty, or too long.
    [[nodiscard]] static std::optional<name_pattern> glob(std::string_view pattern);

    [[nodiscard]] bool matches(std::string_view name) const;

private:
    std::string glob_;
};

}  // namespace channels
