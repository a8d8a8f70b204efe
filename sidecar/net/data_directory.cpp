#include "sidecar/net/data_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "sidecar/net/log.hpp"

namespace sidecar {
namespace {

std::string system_error() {
    return std::strerror(errno);
}

}  // namespace

std::optional<std::string> data_directory::claim(const std::string& path, int lock_timeout_ms) {
    if (auto bad = make(path)) return "--data-dir: " + *bad;
    if (auto bad = lock(lock_timeout_ms)) return "--data-dir: " + *bad;
    return choose_socket();
}

void data_directory::release() {
    if (lock_descriptor_ >= 0) ::close(std::exchange(lock_descriptor_, -1));
    std::error_code ignored;
    if (!socket_dir_.empty()) std::filesystem::remove_all(std::exchange(socket_dir_, {}), ignored);
}

std::optional<std::string> data_directory::make(const std::string& path) {
    std::error_code ec;
    path_ = std::filesystem::absolute(path, ec).lexically_normal().string();
    const std::filesystem::path parent = std::filesystem::path(path_).parent_path();
    std::filesystem::create_directories(parent, ec);
    if (ec) return "cannot make " + parent.string() + ": " + ec.message();
    if (::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST)
        return "cannot make " + path_ + ": " + system_error();
    if (!std::filesystem::is_directory(path_, ec)) return path_ + " is not a directory";
    if (::access(path_.c_str(), R_OK | W_OK | X_OK) != 0)
        return "cannot use " + path_ + ": " + system_error();
    return std::nullopt;
}

// Two servers on one append-only file would ruin it. The child holds the lock too, so that a server which is
// still saving after its sidecar was killed keeps the next one waiting.
std::optional<std::string> data_directory::lock(int timeout_ms) {
    const std::string file = path_ + "/lock";
    lock_descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_descriptor_ < 0) return "cannot make " + file + ": " + system_error();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (::flock(lock_descriptor_, LOCK_EX | LOCK_NB) != 0) {
        if (std::chrono::steady_clock::now() > deadline) {
            ::close(std::exchange(lock_descriptor_, -1));
            return path_ + " is in use by another sidecar or its redis-server";
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return std::nullopt;
}

std::optional<std::string> data_directory::choose_socket() {
    socket_path_ = path_ + "/redis.sock";
    if (socket_path_.size() < sizeof(sockaddr_un::sun_path)) return std::nullopt;
    std::string directory = "/tmp/sidecar-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr)
        return "--embedded: cannot make a directory for the socket: " + system_error();
    socket_dir_ = directory;
    socket_path_ = directory + "/redis.sock";
    log_event(log_level::info, "embedded redis-server has its socket elsewhere",
              {{"socket", socket_path_}, {"cause", "the path of --data-dir is too long for a socket"}});
    return std::nullopt;
}

}  // namespace sidecar
