#pragma once
// Where a shard's notes about brokers' traffic are gathered and handed on, in batches. A command is recorded
// when it is submitted, by the place of its bytes in the link's queue, and holds its batch back until
// upstream has answered: what failed is marked. So records leave in the order in which commands went
// upstream, and none tells of what did not happen.
//
//   record() ─→ open ── age or size ──→ sealed ── all answered ──→ process.broker_notes
//      └─ a ticket, in the entry ─→ answered() or failed()
//
// A ticket is the batch's number (16 bits) and the record's place in it, counted from 1: what a command costs
// here is one record written and one counter, no queue of its own.

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/note_batch.hpp"
#include "resp/command_scanner.hpp"
#include "sidecar/core/clock.hpp"
#include "sidecar/core/upstream_queue.hpp"

namespace sidecar {

struct process_state;

class broker_tap {
public:
    explicit broker_tap(process_state& process);

    void tell(const broker::wire_note& note) { open_.batch.append(note); }
    void tell_all(std::string_view notes) { open_.batch.append(notes); }

    // Who sends what is recorded, and when.
    struct sender {
        std::uint64_t client = 0;
        std::int64_t at_us = 0;
        std::uint8_t db = 0;
    };
    // What was submitted to the queue last: the command, or `bytes` of a transaction up to its EXEC
    // (part::whole), kept together. Its entry is given a ticket.
    void record(upstream_queue& queue, const sender& by, broker::command_record::part is, std::uint32_t bytes,
                std::uint32_t delivery = 0) {
        const char* const frame = queue.bytes_end() - bytes;
        auto& records = open_.batch.records;
        // Whether it lies in the block that was pinned last, in one comparison.
        const bool pinned = reinterpret_cast<std::uintptr_t>(frame) - pinned_ < pinned_room_;
        if (!pinned || bytes > broker::whole_message_bytes_max || records.size() == records.capacity())
            [[unlikely]]
            return record_slowly(queue, by, is, bytes, delivery);
        put(queue, {frame, by.client, by.at_us, bytes, delivery, by.db, is, false, false});
    }
    // What ends a client's transaction without going upstream.
    void record_reset(const sender& by);

    // The `delivery` of a record that notes deliveries once it succeeds: those of its own frames from
    // `offset` on, where the first one is, or `deliveries` as written by add_delivery.
    [[nodiscard]] static std::uint32_t expect_from(std::uint32_t offset) { return offset | delivers_frames; }
    [[nodiscard]] std::uint32_t expect(std::string_view deliveries);
    static void add_delivery(std::string& deliveries, std::string_view hash, std::string_view tag);

    // Upstream's reply to it, as it begins. Nil is the answer of a transaction that did not run.
    void answered(std::uint32_t ticket, int db, std::string_view reply) {
        const bool good = is_good(reply);
        if (ticket >> 16U == open_number_ && good) [[likely]] {
            broker::command_record& what = open_.batch.records[(ticket & 0xFFFFU) - 1];
            if (!what.settled) [[likely]] {
                what.settled = true;
                --open_.expected;
                if (what.delivery != 0) deliver(what, db);
                return;
            }
        }
        settle(ticket, db, good);
    }
    void failed(std::uint32_t ticket) { settle(ticket, 0, false); }

    // A delivery was noted.
    std::function<void(int db, std::string_view hash, std::string_view tag)> on_delivery;

    void finish_turn(time_point now);
    void on_time(time_point now);
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

private:
    struct gathered {
        broker::note_batch batch;
        std::size_t expected = 0;  // records not answered
        bool lost = false;         // not told any more
    };

    // There is room for it.
    void put(upstream_queue& queue, const broker::command_record& what) {
        auto& records = open_.batch.records;
        if (records.size() == records.capacity()) __builtin_unreachable();
        records.push_back(what);
        ++open_.expected;
        queue.back().note = std::uint32_t{open_number_} << 16U | static_cast<std::uint32_t>(records.size());
    }
    void record_slowly(upstream_queue& queue, sender by, broker::command_record::part is, std::uint32_t bytes,
                       std::uint32_t delivery);
    void settle(std::uint32_t ticket, int db, bool good);
    // Neither an error nor nil.
    [[nodiscard]] static bool is_good(std::string_view reply) {
        return reply.size() > 1 && reply[0] != '-' && reply[0] != '_' && (reply[0] != '*' || reply[1] != '-');
    }
    void grow();
    void deliver(broker::command_record& what, int db);
    void deliver_frames(std::string_view frames, int db);
    void keep_bytes(upstream_queue& queue, broker::command_record& what);
    void seal();
    void hand_on();
    void drop_all();

    static constexpr std::size_t records_max = 16'384;
    static constexpr std::uint32_t delivers_frames = 1U << 31U;

    process_state& process_;
    gathered open_;
    std::uint16_t open_number_ = 0;  // wraps; never are so many batches held
    std::uintptr_t pinned_ = 0;      // the block pinned last
    std::size_t pinned_room_ = 0;
    time_point opened_at_{};
    bool empty_before_ = true;
    std::deque<gathered> sealed_;
    std::size_t sealed_bytes_ = 0;
    resp::scanned_command scanned_;
    std::string known_hash_;               // db and beginning of the frame that noted a delivery last
    std::vector<std::string> deliveries_;  // by their number - 1; empty ones are free
    std::vector<std::uint32_t> free_deliveries_;
    std::uint64_t dropped_ = 0;  // batches
};

}  // namespace sidecar
