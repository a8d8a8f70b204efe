#pragma once
// The one table of settings: flag, variable, key, default, help and setter of each. Command line,
// environment, file, help and reload are all driven by it.
//
// Settings are applied in the order of the table, given or by default. That is how one setting's value
// becomes another's default: --redis fills all dbs before --db0-redis replaces its own.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/config/parse.hpp"

namespace sidecar {

enum class value_kind : std::uint8_t { text, list, number_list, number, size, duration, toggle };
[[nodiscard]] constexpr bool is_list(value_kind kind) {
    return kind == value_kind::list || kind == value_kind::number_list;
}
enum class takes_effect : std::uint8_t { on_reload, after_restart };

struct setting {
    std::string_view flag;  // without the dashes; the key of the file has underscores instead
    std::string_view env;
    std::string_view group;
    std::string_view value_name;    // "HOST:PORT"; empty for a toggle
    std::string_view default_text;  // applied when nothing is given; empty = config's own
    std::string_view default_note;  // shown instead of default_text where that says more
    std::string_view help;
    value_kind kind = value_kind::text;
    takes_effect effect = takes_effect::after_restart;
    // Exactly one value, or any number for a list of texts or numbers.
    std::optional<bad_value> (*set)(config& into, std::span<const std::string> values) = nullptr;
    bool (*same)(const config& a, const config& b) = nullptr;
};

// In the order of help and of application. Valid for ever.
[[nodiscard]] std::span<const setting> all_settings();
[[nodiscard]] const setting* find_setting(std::string_view flag);
[[nodiscard]] std::string file_key(const setting& entry);

}  // namespace sidecar
