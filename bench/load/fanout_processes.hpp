#pragma once
// CPU time of processes, from the scheduler's accounting.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bench {

// Nanoseconds on a CPU of all threads; 0 when the process is gone.
[[nodiscard]] std::uint64_t process_cpu_ns(pid_t pid);
[[nodiscard]] std::string process_name(pid_t pid);
// Who listens on the TCP port of this machine, as far as this user may know.
[[nodiscard]] std::optional<pid_t> listener_of(std::uint16_t port);

struct watched_process {
    std::string name;
    pid_t pid = 0;
};
// "PID", "NAME=PID" or "NAME=:PORT". nullopt: neither, or nobody listens there.
[[nodiscard]] std::optional<watched_process> parse_watched(const std::string& text);

}  // namespace bench
