#include "bench/load/fanout_processes.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace bench {

namespace {

namespace files = std::filesystem;

std::string first_line(const files::path& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return line;
}

template <class Number>
std::optional<Number> number_of(std::string_view text, int base = 10) {
    Number value{};
    const auto end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value, base);
    return read.ec == std::errc{} && read.ptr == end ? std::optional<Number>(value) : std::nullopt;
}

// The inode of the socket that listens on the port, from /proc/net/tcp or tcp6.
std::string listening_inode(const char* table, std::uint16_t port) {
    std::ifstream in(table);
    std::string line;
    while (std::getline(in, line)) {
        std::istringstream fields(line);
        std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
        fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >>
            inode;
        const std::size_t colon = local.rfind(':');
        if (state != "0A" || colon == std::string::npos) continue;
        if (number_of<std::uint16_t>(local.substr(colon + 1), 16) == port) return inode;
    }
    return {};
}

bool holds_socket(const files::path& process, const std::string& wanted) {
    std::error_code error;
    for (files::directory_iterator it(process / "fd", error), end; !error && it != end; it.increment(error)) {
        std::error_code unreadable;
        if (files::read_symlink(it->path(), unreadable) == wanted) return true;
    }
    return false;
}

}  // namespace

std::uint64_t process_cpu_ns(pid_t pid) {
    std::uint64_t total = 0;
    std::error_code error;
    const files::path tasks = "/proc/" + std::to_string(pid) + "/task";
    for (files::directory_iterator it(tasks, error), end; !error && it != end; it.increment(error)) {
        const std::string line = first_line(it->path() / "schedstat");
        total += number_of<std::uint64_t>(line.substr(0, line.find(' '))).value_or(0);
    }
    return total;
}

std::string process_name(pid_t pid) {
    return first_line("/proc/" + std::to_string(pid) + "/comm");
}

std::optional<pid_t> listener_of(std::uint16_t port) {
    std::string inode = listening_inode("/proc/net/tcp", port);
    if (inode.empty()) inode = listening_inode("/proc/net/tcp6", port);
    if (inode.empty()) return std::nullopt;
    const std::string wanted = "socket:[" + inode + "]";
    std::error_code error;
    for (files::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
        const auto pid = number_of<pid_t>(it->path().filename().string());
        if (pid && holds_socket(it->path(), wanted)) return pid;
    }
    return std::nullopt;
}

std::optional<watched_process> parse_watched(const std::string& text) {
    const std::size_t equals = text.find('=');
    const std::string place = equals == std::string::npos ? text : text.substr(equals + 1);
    std::optional<pid_t> pid;
    if (place.starts_with(':')) {
        if (const auto port = number_of<std::uint16_t>(std::string_view(place).substr(1)))
            pid = listener_of(*port);
    } else {
        pid = number_of<pid_t>(place);
    }
    if (!pid || *pid <= 0) return std::nullopt;
    return watched_process{equals == std::string::npos ? process_name(*pid) : text.substr(0, equals), *pid};
}

}  // namespace bench
