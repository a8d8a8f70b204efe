#pragma once
// The subcommands of the program. A new one is a function and a row in commands.cpp.

#include <string>
#include <vector>

namespace sidecar {

namespace exit_status {
inline constexpr int good = 0;
inline constexpr int failed = 1;     // what was asked for did not work
inline constexpr int bad_usage = 2;  // flags, environment or file cannot be used
inline constexpr int not_found = 3;
inline constexpr int refused = 4;  // by the user, a missing right, or because it changed meanwhile
}  // namespace exit_status

// The arguments after the program's name; returns the exit status.
[[nodiscard]] int run_command(const std::vector<std::string>& args);

}  // namespace sidecar
