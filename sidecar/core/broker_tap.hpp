#pragma once
// Where a shard's notes about brokers' traffic are gathered and handed on, in batches. A command is recorded
// when it is submitted, by the place of its bytes in the link's queue, and holds its batch back until
// upstream has answered: what failed is marked. So records leave in the order in which commands went
// upstream, and none tells of what did not happen.
//
//   record() ─→ open ── age or size ──→ sealed ── all answered ──→ process.broker_notes
//      └─ a ticket, in the entry ─→ answered() or failed()
//
// A ticket is the batch's number (16 bits) and where the record ends in it, in units of eight bytes: what a
// command costs here is one record written and one counter, no queue of its own. Of what passes on the hot
// path only what is new or rare leaves these inlined few lines.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
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

    void tell(const broker::wire_note& note);
    void tell_all(std::string_view notes);  // as wire_note's append writes them

    // Who sends what is recorded, and when.
    struct sender {
        std::uint64_t client = 0;
        std::int64_t at_us = 0;
        std::uint8_t db = 0;
    };
    // What was submitted to the queue last: the command, or `bytes` of a transaction up to its EXEC
    // (part::whole), kept together. Its entry is given a ticket.
    [[gnu::always_inline]] void record(upstream_queue& queue, const sender& by,
                                       broker::command_record::part is, std::uint32_t bytes,
                                       std::uint32_t delivery = 0) {
        const char* const frame = queue.bytes_end() - bytes;
        // Whether it lies in the block that was pinned last, in one comparison.
        const bool pinned = reinterpret_cast<std::uintptr_t>(frame) - pinned_ < pinned_room_;
        if (!pinned || bytes > broker::whole_message_bytes_max || next_ == room_end_) [[unlikely]]
            return record_slowly(queue, by, is, bytes, delivery);
        *next_++ = {frame, by.client, by.at_us, bytes, delivery, by.db, is, false, false};
        issue_ticket(queue.back());
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
            broker::command_record& what = *record_of(ticket);
            if (!what.settled) [[likely]] {
                what.settled = true;
                --expected_;
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

    // For the record written last.
    void issue_ticket(upstream_entry& entry) {
        ++expected_;
        const auto end = reinterpret_cast<std::uintptr_t>(next_);
        entry.note = static_cast<std::uint32_t>((end - ticket_base_) / ticket_unit);
    }
    [[nodiscard]] std::size_t records() const { return static_cast<std::size_t>(next_ - room_.get()); }
    [[nodiscard]] std::size_t weight() const {
        return records() * sizeof(broker::command_record) + notes_.size() + pinned_bytes_;
    }
    // A ticket of the open batch.
    [[nodiscard]] broker::command_record* record_of(std::uint32_t ticket) const {
        char* const records_begin = reinterpret_cast<char*>(room_.get());
        return reinterpret_cast<broker::command_record*>(records_begin + (ticket & 0xFFFFU) * ticket_unit) -
               1;
    }
    void place_tickets();
    void make_room(std::size_t capacity);
    broker::record_list take_records();
    broker::command_record& add_record();
    void count_notes(std::size_t bytes);
    void record_slowly(upstream_queue& queue, sender by, broker::command_record::part is, std::uint32_t bytes,
                       std::uint32_t delivery);
    void settle(std::uint32_t ticket, int db, bool good);
    // Neither an error nor nil.
    [[nodiscard]] static bool is_good(std::string_view reply) {
        return reply.size() > 1 && reply[0] != '-' && reply[0] != '_' && (reply[0] != '*' || reply[1] != '-');
    }
    void grow();
    void deliver(broker::command_record& what, int db);
    void deliver_text(std::uint32_t delivery, bool failed, int db);
    [[nodiscard]] bool begins_as_known(std::string_view frames, int db) const;
    void deliver_frames(std::string_view frames, int db);
    void keep_bytes(upstream_queue& queue, broker::command_record& what);
    void keep_copy(broker::command_record& what);
    void seal();
    void hand_on();
    void drop_all();

    static constexpr std::size_t ticket_unit = 8;
    static_assert(sizeof(broker::command_record) % ticket_unit == 0);
    static constexpr std::size_t records_max = 0xFFFFU * ticket_unit / sizeof(broker::command_record);
    static constexpr std::uint32_t delivers_frames = 1U << 31U;

    process_state& process_;
    // The open batch. Its records are written here and copied when it is sealed.
    std::unique_ptr<broker::command_record[]> room_;
    broker::command_record* next_ = nullptr;
    broker::command_record* room_end_ = nullptr;
    std::size_t records_wanted_ = 0;
    std::size_t expected_ = 0;
    std::string notes_;
    std::vector<broker::byte_block> pins_;
    std::size_t pinned_bytes_ = 0;
    std::uint16_t open_number_ = 0;   // wraps; never are so many batches held
    std::uintptr_t ticket_base_ = 0;  // so much before the open batch's records as its number says
    std::uintptr_t pinned_ = 0;       // the block pinned last
    std::size_t pinned_room_ = 0;
    time_point opened_at_{};
    bool empty_before_ = true;
    std::deque<gathered> sealed_;
    std::size_t sealed_bytes_ = 0;
    resp::scanned_command scanned_;
    int known_hash_db_ = -1;
    std::string known_hash_;  // beginning of the frame that noted a delivery last, up to its hash
    std::vector<std::string> deliveries_;  // by their number - 1; empty ones are free
    std::vector<std::uint32_t> free_deliveries_;
    std::uint64_t dropped_ = 0;  // batches
};

}  // namespace sidecar
