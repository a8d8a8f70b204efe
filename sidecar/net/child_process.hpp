#pragma once
// A child process that ends when the thread that started it ends, inherits nothing but what it is given, and
// does not hear the terminal's Ctrl-C.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace sidecar {

// The path of an executable: `name` itself if it has a slash, else the first on PATH. nullopt if there is
// none.
[[nodiscard]] std::optional<std::string> find_program(const std::string& name);

struct child_start {
    std::string program;                 // a path
    std::vector<std::string> arguments;  // without the program's name
    std::string output_file;             // appended to with all it writes
    int kept_descriptor = -1;            // stays open in the child, as 3 (a lock shall outlive the parent)
};

// The process id, or -1 with errno set. The child is sent SIGTERM when the calling thread ends.
[[nodiscard]] pid_t start_child(const child_start& start);

// How it ended: "exit status 1", "signal 9 (Killed)".
[[nodiscard]] std::string describe_end(int wait_status);

}  // namespace sidecar
