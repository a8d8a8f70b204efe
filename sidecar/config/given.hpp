#pragma once
// What was given, before it is understood: texts by setting, and where each came from.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/config/load.hpp"

namespace sidecar {

enum class origin : std::uint8_t { file, variable, flag };  // ascending precedence

struct given_setting {
    std::vector<std::string> values;
    std::string where;  // "--hold", "SIDECAR_HOLD" or "/etc/sidecar.toml: hold", for error lines
    origin from = origin::file;
};

using given_settings = std::map<std::string_view, given_setting>;  // by flag, as in the table

struct command_line {
    given_settings settings;
    std::string config_file;  // of --config, empty if not given
};

struct file_content {
    given_settings settings;
    std::vector<user_settings> users;
};

[[nodiscard]] std::variant<command_line, config_error> read_command_line(std::span<const std::string> args);
[[nodiscard]] given_settings read_environment(const environment& get);
// `name` is how the file was named ("--config" or "SIDECAR_CONFIG").
[[nodiscard]] std::variant<file_content, config_error> read_file(const std::string& path,
                                                                 std::string_view name);

// A list in one text: the parts between commas, without blanks around them.
[[nodiscard]] std::vector<std::string> split_list(std::string_view text);

}  // namespace sidecar
