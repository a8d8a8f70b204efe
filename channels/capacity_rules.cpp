#include "channels/capacity_rules.hpp"

#include <utility>

namespace channels {

bool capacity_rules::add(name_pattern pattern, std::uint32_t capacity) {
    if (rules_.size() >= rules_max) return false;
    rules_.push_back({std::move(pattern), capacity});
    return true;
}

std::uint32_t capacity_rules::capacity_of(std::string_view non_local_name) const {
    for (const auto& each : rules_)
        if (each.pattern.matches(non_local_name)) return each.capacity;
    return otherwise_;
}

}  // namespace channels
