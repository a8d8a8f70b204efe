#pragma once
// Tells the other sidecars on the same Redis which workers have sockets here, and learns the same of them.
// Each writes a key of its own, which expires soon after its process is gone, and stands in an index. Where
// no sidecar has seen a worker lately nothing is written.

#include <cstdint>
#include <string>
#include <vector>

#include "broker/elsewhere.hpp"
#include "broker/redis_port.hpp"

namespace broker {

struct peer_board_limits {
    std::size_t places_max = 2'000;         // told by one sidecar
    std::size_t peers_max = 100;            // read
    std::int64_t forget_us = 10'000'000;    // who has not written for so long is gone
    std::int64_t presence_us = 60'000'000;  // told after the last worker was seen anywhere
};

class peer_board {
public:
    // `self` is unlike any other process's.
    peer_board(std::string self, std::string machine, peer_board_limits limits = {})
        : self_(std::move(self)), machine_(std::move(machine)), limits_(limits) {}

    // Once a second. When Redis is away, what was known stays.
    void exchange(redis_port& redis, const std::vector<worker_place>& own, std::int64_t now_us);

    [[nodiscard]] const elsewhere& others() const { return others_; }
    [[nodiscard]] std::uint64_t untold() const { return untold_; }  // places over the bound

private:
    [[nodiscard]] std::vector<redis_command> telling(const std::vector<worker_place>& own,
                                                     std::int64_t now_us);
    [[nodiscard]] std::string told(const std::vector<worker_place>& own);
    void read(elsewhere& into, const std::string& text) const;

    std::string self_;
    std::string machine_;
    peer_board_limits limits_;
    elsewhere others_;
    std::uint64_t untold_ = 0;
    std::int64_t tell_until_us_ = 0;
    bool stands_there_ = false;  // what was told last
};

}  // namespace broker
