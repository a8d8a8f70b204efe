#pragma once
// How many unread messages a channel may have: the first rule that matches its non-local name decides
// ("specific.ab12!" for "specific.ab12!cd34"), else the default.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "channels/name_pattern.hpp"

namespace channels {

class capacity_rules {
public:
    static constexpr std::size_t rules_max = 64;

    explicit capacity_rules(std::uint32_t otherwise = 100) : otherwise_(otherwise) {}

    void set_default(std::uint32_t capacity) { otherwise_ = capacity; }
    [[nodiscard]] std::uint32_t default_capacity() const { return otherwise_; }
    // False: there are too many already.
    bool add(name_pattern pattern, std::uint32_t capacity);
    [[nodiscard]] std::uint32_t capacity_of(std::string_view non_local_name) const;
    [[nodiscard]] std::size_t size() const { return rules_.size(); }

private:
    struct rule {
        name_pattern pattern;
        std::uint32_t capacity;
    };
    std::vector<rule> rules_;
    std::uint32_t otherwise_;
};

}  // namespace channels
