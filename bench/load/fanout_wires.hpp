#pragma once
// Many connections to one server in one epoll set.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

class wires {
public:
    // Bytes that arrived on a connection, by its number; how many were used. The rest comes again with more.
    using reader = std::function<std::size_t(std::size_t wire, std::string_view bytes)>;

    wires();
    ~wires();
    wires(const wires&) = delete;
    wires& operator=(const wires&) = delete;

    // The number of the new connection: they count from 0.
    std::size_t connect(const std::string& host, std::uint16_t port);
    void send(std::size_t wire, std::string_view bytes);
    // Waits for at most that long; reads what is there. True when anything was.
    bool turn(std::chrono::nanoseconds patience, const reader& read);
    [[nodiscard]] std::size_t size() const { return all_.size(); }

private:
    struct wire {
        int descriptor = -1;
        std::size_t number = 0;
        std::string input;   // not yet used
        std::string output;  // what the socket did not take
    };
    void flush(wire& w);
    void receive(wire& w, const reader& read);

    std::vector<std::unique_ptr<wire>> all_;
    std::vector<char> buffer_;
    int epoll_;
};

}  // namespace bench
