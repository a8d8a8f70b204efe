#pragma once
// `sidecar serve`: from a config to listening sockets, until a signal ends it.

#include <string>
#include <vector>

#include "sidecar/config/config.hpp"

namespace sidecar {

// Returns the exit status. `args` are those the config came from: SIGHUP loads them again.
[[nodiscard]] int serve(const config& settings, const std::vector<std::string>& args);

}  // namespace sidecar
