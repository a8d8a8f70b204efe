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
#include <vector>

#include "broker/wire_note.hpp"

namespace broker {

// Of one command, or of those of a transaction that went upstream in one piece.
struct command_record {
    enum class part : std::uint8_t {
        notes,   // no command: `bytes` of the batch's notes
        alone,   // counts when it has succeeded
        whole,   // all commands of a transaction behind its MULTI, EXEC included: count when that has run
        queued,  // inside a transaction: counts when that has run
        ends,    // EXEC or DISCARD
    };
    const char* frame = nullptr;
    std::uint64_t client = 0;
    std::int64_t at_us = 0;  // Unix time at which it was submitted
    std::uint32_t bytes = 0;
    std::uint32_t delivery = 0;  // the tap's own; 0 = none
    std::uint8_t db = 0;
    part is = part::notes;
    bool settled = false;  // answered, or never will be
    bool failed = false;   // once it is settled
};

using byte_block = std::shared_ptr<const char[]>;

struct note_batch {
    std::vector<command_record> records;
    std::string notes;
    std::vector<byte_block> pins;
    std::size_t pinned_bytes = 0;  // of blocks that no batch before held

    [[nodiscard]] bool empty() const { return records.empty(); }
    // What it holds in memory.
    [[nodiscard]] std::size_t weight() const {
        return records.size() * sizeof(command_record) + notes.size() + pinned_bytes;
    }
    void append(const wire_note& note) {
        const std::size_t before = notes.size();
        broker::append(notes, note);
        count(notes.size() - before);
    }
    // Notes in the form in which wire_note's append writes them.
    void append(std::string_view more) {
        if (more.empty()) return;
        notes.append(more);
        count(more.size());
    }

private:
    void count(std::size_t bytes) {
        if (records.empty() || records.back().is != command_record::part::notes) records.emplace_back();
        records.back().bytes += static_cast<std::uint32_t>(bytes);
    }
};

// Of a frame too long to be kept whole: the same command with its long arguments cut to what a note carries
// (noted_part), and behind it the arguments' true lengths, each a std::uint64_t. Of one with more arguments
// than are looked at, a command that means nothing.
[[nodiscard]] std::string shortened(std::string_view frame);

}  // namespace broker
