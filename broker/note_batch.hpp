#pragma once
// What a shard saw of a broker's traffic, on its way to the thread that observes. Commands are not read where
// they pass: a record says where the frame lies, in the very block in which it was sent upstream, and whose
// it is. What cannot be seen in a command (a pop's element, a client's end) stands between them as notes.
//
//   records:  command ─ notes ─ command ─ command ─ ...       in the order in which they went upstream
//                │        └─→ so many bytes of `notes`
//                └─→ a frame in one of `pins`, which the batch keeps alive
//
// Frames in a pin are complete and never change; the shard may append behind them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "broker/wire_note.hpp"

namespace broker {

// Of one command, or of those of a transaction that went upstream in one piece. Trivial: many are copied as
// bytes, and `{}` makes one of notes.
struct command_record {
    enum class part : std::uint8_t {
        notes,   // no command: `bytes` of the batch's notes
        alone,   // counts when it has succeeded
        whole,   // all commands of a transaction behind its MULTI, EXEC included: count when that has run
        queued,  // inside a transaction: counts when that has run
        ends,    // EXEC or DISCARD
    };
    const char* frame;
    std::uint64_t client;
    std::int64_t at_us;  // Unix time at which it was submitted
    std::uint32_t bytes;
    std::uint32_t delivery;  // the tap's own; 0 = none
    std::uint8_t db;
    part is;
    bool settled;  // answered, or never will be
    bool failed;   // once it is settled
};
static_assert(std::is_trivial_v<command_record>);

using byte_block = std::shared_ptr<const char[]>;

struct record_list {
    std::unique_ptr<command_record[]> room;
    std::size_t count = 0;

    [[nodiscard]] command_record* begin() const { return room.get(); }
    [[nodiscard]] command_record* end() const { return room.get() + count; }
    [[nodiscard]] std::size_t size() const { return count; }
    [[nodiscard]] bool empty() const { return count == 0; }
    [[nodiscard]] command_record& operator[](std::size_t place) const { return room[place]; }
};

struct note_batch {
    record_list records;
    std::string notes;
    std::vector<byte_block> pins;
    std::size_t pinned_bytes = 0;  // of blocks that no batch before held

    [[nodiscard]] bool empty() const { return records.empty(); }
    // What it holds in memory.
    [[nodiscard]] std::size_t weight() const {
        return records.size() * sizeof(command_record) + notes.size() + pinned_bytes;
    }
};

// Of a frame too long to be kept whole: the same command with its long arguments cut to what a note carries
// (noted_part), and behind it the arguments' true lengths, each a std::uint64_t. Of one with more arguments
// than are looked at, a command that means nothing.
[[nodiscard]] std::string shortened(std::string_view frame);

}  // namespace broker
