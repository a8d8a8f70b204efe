#include "broker/broker_layout.hpp"

namespace broker {

std::optional<list_place> place_of(const broker_layout& layout, std::string_view key) {
    if (!key.starts_with(layout.prefix)) return std::nullopt;
    key.remove_prefix(layout.prefix.size());
    for (const int step : layout.steps) {
        const std::string suffix = layout.separator + std::to_string(step);
        if (step != 0 && key.size() > suffix.size() && key.ends_with(suffix))
            return list_place{std::string(key.substr(0, key.size() - suffix.size())), step};
    }
    return list_place{std::string(key), 0};
}

}  // namespace broker
