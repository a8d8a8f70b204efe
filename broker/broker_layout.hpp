#pragma once
// Where one application keeps its things in Redis: what kombu's transport options make of key names. One
// queue is several lists, one for each priority step; the right end of the list of step 0 is what runs next.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

// What this part of the sidecar keeps in a broker's db.
inline constexpr std::string_view own_keys = "__sidecar:br:";

struct broker_layout {
    std::string prefix;  // global_keyprefix
    std::string separator = "\x06\x16";
    std::vector<int> steps{0, 3, 6, 9};
    std::string unacked = "unacked";  // as in Redis, with the prefix
    std::string unacked_index = "unacked_index";

    bool operator==(const broker_layout&) const = default;

    [[nodiscard]] std::string list_key(std::string_view queue, int step) const {
        std::string key = prefix + std::string(queue);
        if (step != 0) key += separator + std::to_string(step);
        return key;
    }
    // As kombu rounds a message's priority.
    [[nodiscard]] int step_of(int priority) const {
        int found = steps.empty() ? 0 : steps.front();
        for (const int step : steps)
            if (step <= std::clamp(priority, 0, 9)) found = step;
        return found;
    }
    [[nodiscard]] std::string binding_key(std::string_view exchange) const {
        return prefix + "_kombu.binding." + std::string(exchange);
    }
};

struct list_place {  // one of a queue's lists
    std::string queue;
    int step = 0;
};

// Which queue and step a list's key stands for; nullopt when it is not under the prefix.
[[nodiscard]] std::optional<list_place> place_of(const broker_layout& layout, std::string_view key);

}  // namespace broker
