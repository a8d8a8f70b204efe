#pragma once
// Clients that each send a batch, wait for all its replies, and send the next: one thread, one epoll set.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/load/histogram.hpp"
#include "bench/load/mix.hpp"
#include "resp/reply_scanner.hpp"

namespace bench {

struct load_settings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6379;
    std::size_t clients = 50;
    std::uint64_t commands = 100'000;   // no batch begins after so many
    std::chrono::seconds patience{30};  // without any reply
};

struct load_result {
    std::uint64_t commands = 0;
    std::uint64_t batches = 0;
    std::chrono::nanoseconds time{0};
    histogram latencies;  // of batches
};

class closed_loop {
public:
    closed_loop(const load_settings& settings, mix& load);
    ~closed_loop();
    closed_loop(const closed_loop&) = delete;
    closed_loop& operator=(const closed_loop&) = delete;

    // Returns when the commands are sent and answered; batches that wait for others (a blocking pop) are
    // left.
    load_result run();

private:
    using clock = std::chrono::steady_clock;

    struct client {
        int descriptor = -1;
        std::size_t number = 0;
        std::string output;   // what the socket did not take
        std::string partial;  // an incomplete reply
        std::size_t scanned = 0;
        resp::reply_scanner scanner;
        std::size_t missing = 0;  // replies of the batch
        clock::time_point begin;
        bool idle = false;
    };

    void open(client& c);
    void greet_all();
    bool start(client& c);
    void start_idle();
    void flush(client& c);
    void read(client& c);
    void on_bytes(client& c, std::string_view bytes);
    void on_reply(client& c, std::string_view reply);
    void turn();

    load_settings settings_;
    mix& mix_;
    load_result result_;
    std::vector<std::unique_ptr<client>> clients_;
    std::vector<client*> idle_;
    std::vector<char> buffer_;
    bool counting_ = false;
    int epoll_ = -1;
};

}  // namespace bench
