#pragma once
// The directory of the embedded redis-server: made, checked, locked, and the place of its socket.

#include <optional>
#include <string>

namespace sidecar {

class data_directory {
public:
    data_directory() = default;
    ~data_directory() { release(); }
    data_directory(const data_directory&) = delete;
    data_directory& operator=(const data_directory&) = delete;

    // Makes the directory (mode 0700) and takes its lock, waiting for another holder at most so long.
    // nullopt, or one line that names the flag and what is wrong.
    [[nodiscard]] std::optional<std::string> claim(const std::string& path, int lock_timeout_ms);
    // Gives the lock back and removes the socket's directory, if it has one of its own.
    void release();

    [[nodiscard]] const std::string& path() const { return path_; }  // absolute
    [[nodiscard]] std::string log_file() const { return path_ + "/redis.log"; }
    // Below path(), or in a short directory under /tmp where path() is too long for a socket address.
    [[nodiscard]] const std::string& socket_path() const { return socket_path_; }
    // Held while open, by this process or a child that inherited it. -1 before claim().
    [[nodiscard]] int lock_descriptor() const { return lock_descriptor_; }

private:
    std::optional<std::string> make(const std::string& path);
    std::optional<std::string> lock(int timeout_ms);
    std::optional<std::string> choose_socket();

    std::string path_;
    std::string socket_path_;
    std::string socket_dir_;  // empty unless the socket has a directory of its own
    int lock_descriptor_ = -1;
};

}  // namespace sidecar
