#pragma once
// The slowest commands with the address of the client that sent them, which Redis's own log cannot know: to
// it they all come from the sidecar.

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace sidecar {

struct slow_command {
    std::uint64_t id = 0;
    std::int64_t unix_time = 0;
    std::uint64_t duration_us = 0;
    int database = 0;
    std::vector<std::string> args;  // shortened
    std::string client_address;
    std::string client_name;
};

class slowlog {
public:
    static constexpr std::size_t entries_max = 128;
    static constexpr std::size_t args_max = 32;
    static constexpr std::size_t arg_bytes_max = 128;

    void add(slow_command entry) {
        entry.id = next_id_++;
        entries_.push_front(std::move(entry));
        if (entries_.size() > entries_max) entries_.pop_back();
    }
    void clear() { entries_.clear(); }
    [[nodiscard]] const std::deque<slow_command>& entries() const { return entries_; }

private:
    std::deque<slow_command> entries_;
    std::uint64_t next_id_ = 0;
};

}  // namespace sidecar
