#pragma once
// Where a shard's notes about brokers' traffic are gathered and handed on, in batches. A note of a command
// that may fail is written at once, in its place, and holds its batch back until upstream has answered: what
// failed is cut out. So notes leave in the order in which their commands went upstream, and none of them
// tells of what did not happen.
//
//   batch() ── append ──→ open ── age or size ──→ sealed ── all answered ──→ process.broker_notes
//                          └─ expect(): a ticket ─→ answered() or failed()

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/wire_note.hpp"
#include "sidecar/core/clock.hpp"

namespace sidecar {

struct process_state;

class broker_tap {
public:
    explicit broker_tap(process_state& process) : process_(process) {}

    // Where the next note is to be appended.
    [[nodiscard]] std::string& batch() { return open_; }
    // What was appended from `begin` on counts once it has succeeded. The ticket is never 0.
    enum class tells : std::uint8_t { traffic, delivery };
    [[nodiscard]] std::uint32_t expect(std::size_t begin, tells what);
    // Upstream's reply to it, as it begins.
    void answered(std::uint32_t ticket, int db, std::string_view reply);
    void failed(std::uint32_t ticket) { settle(ticket, 0, false); }

    // Told of what it notes: the notes of a command that has succeeded and notes a delivery.
    std::function<void(int db, std::string_view notes)> on_delivery;

    void finish_turn(time_point now);
    void on_time(time_point now);
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

private:
    struct sealed_batch {
        std::string bytes;
        std::size_t expected = 0;  // tickets not settled
        std::vector<std::pair<std::size_t, std::size_t>> failed;
    };
    struct expectation {
        std::uint32_t batch = 0;  // counted from the first ever
        bool settled = false;
        tells what{};
        std::size_t begin = 0;
        std::size_t end = 0;
    };

    void settle(std::uint32_t ticket, int db, bool good);
    void seal();
    void hand_on();
    void drop_all();

    process_state& process_;
    std::string open_;
    std::size_t open_expected_ = 0;
    std::vector<std::pair<std::size_t, std::size_t>> open_failed_;
    time_point opened_at_{};
    bool empty_before_ = true;
    std::deque<sealed_batch> sealed_;
    std::uint32_t first_sealed_ = 0;  // its number; the open batch's is first_sealed_ + sealed_.size()
    std::size_t sealed_bytes_ = 0;
    std::deque<expectation> expectations_;
    std::uint32_t first_ticket_ = 1;
    std::uint64_t dropped_ = 0;  // batches
};

}  // namespace sidecar
