#pragma once
// Reads batches of what shards saw pass into notes: takes the commands apart and holds back what stands in a
// transaction until it is known to have run.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "broker/note_batch.hpp"
#include "broker/wire_note.hpp"
#include "resp/command_scanner.hpp"

namespace broker {

class transcript {
public:
    using listener = std::function<void(const wire_note&)>;

    // Each note in its order; what it gives are views that end with the call.
    void read(const note_batch& batch, const listener& told);
    // Batches were lost: transactions that began before are not told.
    void on_gap() { queued_.clear(); }

    // Clients of which a transaction is under way.
    [[nodiscard]] std::size_t transactions() const { return queued_.size(); }

private:
    void read_notes(std::string_view notes, const listener& told);
    void read_command(const command_record& record, const listener& told);
    void read_whole(const command_record& record, const listener& told);

    resp::scanned_command scanned_;
    std::string notes_;                                      // of the command being read
    std::unordered_map<std::uint64_t, std::string> queued_;  // by client
};

}  // namespace broker
