#pragma once
// From command line, environment and file to a config: flag > environment > file > default. No process-wide
// state is read but the files named, so that tests and SIGHUP call it like start-up does.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "sidecar/config/config.hpp"

namespace sidecar {

struct config_error {
    std::string line;  // one line, no newline: names the flag, variable or file and key, and the value
};

// The value of an environment variable, or nullopt. An empty variable counts as unset.
using environment = std::function<std::optional<std::string>(const std::string& name)>;

// `args` are those after `serve`. --help is the caller's to handle (see serve_help).
[[nodiscard]] std::variant<config, config_error> load_config(std::span<const std::string> args,
                                                             const environment& get);

// The environment of this process.
[[nodiscard]] std::optional<std::string> process_environment(const std::string& name);

// The flags whose value differs and cannot change while running ("--listen", …). Everything else takes effect
// on reload: password, users, policy, hold, drain, limits, slowlog, http tokens, log.
[[nodiscard]] std::vector<std::string> restart_needed(const config& old, const config& fresh);

// All flags with variable, default and meaning, grouped.
[[nodiscard]] std::string serve_help();

}  // namespace sidecar
