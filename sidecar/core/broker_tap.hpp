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
    // What was submitted to the queue last. Its entry is given a ticket.
    void record(upstream_queue& queue, const sender& by, broker::command_record::part is,
                std::uint32_t delivery = 0) {
        upstream_entry& entry = queue.back();
        const char* const frame = queue.back_bytes();
        auto& records = open_.batch.records;
        if (records.size() == records.capacity()) [[unlikely]]
            grow();
        records.push_back({frame, by.client, by.at_us, entry.bytes, delivery, by.db, is, false, false});
        // Whether it lies in the block that was pinned last, in one comparison.
        if (reinterpret_cast<std::uintptr_t>(frame) - pinned_ >= pinned_room_ ||
            entry.bytes > broker::whole_message_bytes_max) [[unlikely]]
            keep_bytes(queue, records.back());
        ++open_.expected;
        entry.note = std::uint32_t{open_number_} << 16U | static_cast<std::uint32_t>(records.size());
    }
    // What ends a client's transaction without going upstream.
    void record_reset(const sender& by);
    // So many records will stand in one batch, if a batch holds so many.
    void make_room(std::size_t records) {
        if (open_.batch.records.size() + records > records_max) seal();
    }

    // The `delivery` of a command that notes deliveries once it succeeds: those among so many records before
    // it, or (`deliveries` as written by add_delivery) those of commands that were recorded long before.
    [[nodiscard]] static std::uint32_t expect_among(std::size_t records) {
        return static_cast<std::uint32_t>(records) | delivers_records;
    }
    [[nodiscard]] std::uint32_t expect(std::string_view deliveries);
    static void add_delivery(std::string& deliveries, std::string_view hash, std::string_view tag);

    // Upstream's reply to it, as it begins. Nil is the answer of a transaction that did not run.
    void answered(std::uint32_t ticket, int db, std::string_view reply) {
        const char first = reply.empty() ? '-' : reply.front();
        settle(ticket, db, first == ':' || first == '+' || is_good(reply));
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

    void settle(std::uint32_t ticket, int db, bool good) {
        if (ticket >> 16U != open_number_) return settle_sealed(ticket, db, good);
        broker::command_record& what = open_.batch.records[(ticket & 0xFFFFU) - 1];
        if (std::exchange(what.settled, true)) return;
        what.failed = !good;
        --open_.expected;
        if (what.delivery != 0) deliver(open_.batch, what, db);
    }
    void settle_sealed(std::uint32_t ticket, int db, bool good);
    [[nodiscard]] static bool is_good(std::string_view reply);
    void grow();
    void deliver(const broker::note_batch& batch, broker::command_record& what, int db);
    void deliver_frame(std::string_view frame, int db);
    void keep_bytes(upstream_queue& queue, broker::command_record& what);
    void seal();
    void hand_on();
    void drop_all();

    static constexpr std::size_t records_max = 16'384;
    static constexpr std::uint32_t delivers_records = 1U << 31U;

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
