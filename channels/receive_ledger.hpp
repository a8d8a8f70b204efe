#pragma once
// The messages that channels_redis has popped and is still working on. One of a process's queue (K!) stands
// in K!$inflight from its pop until its receive is over, and nothing is lost when this table is; one of a
// normal channel only from its confirmation on. The table says whose a message is:
//
//   delivered() ──→ confirm() ──→ clean(): the application has it; exactly this message is to be removed
//        │              └─ the next cleanup by its reader: the receive was cancelled, the message goes back
//        ├─ the next cleanup by its reader: the same
//        └─ receiver_gone(): an orphan; unless confirmed over another connection it goes back (take_orphan)
//
// A cleanup must not put back what another reader of a normal channel is working on: it is then to be
// skipped.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace channels {

class receive_ledger {
public:
    using receiver_id = std::uint64_t;  // of the connection that popped

    struct message {
        std::string member;
        std::string score;  // as Redis spells it
    };
    struct orphan {
        std::string key;
        message what;
    };

    explicit receive_ledger(std::size_t bytes_max = std::size_t{64} << 20) : bytes_max_(bytes_max) {}

    // Cleanups have been seen of this queue lately: whoever reads it is the core layer.
    [[nodiscard]] bool knows(std::string_view key) const { return queues_.contains(std::string(key)); }

    struct cleanup_verdict {
        bool forward = true;
        std::size_t in_flight = 0;         // messages that it brings back
        std::vector<message> unconfirmed;  // of a normal channel: they are in no place upstream
    };
    cleanup_verdict cleanup(std::string_view key, receiver_id by, std::int64_t now_ms);

    // False: no room; the message is not followed.
    bool delivered(std::string_view key, message what, receiver_id to, std::int64_t now_ms);

    enum class confirmation : std::uint8_t {
        known,
        unknown,  // popped elsewhere, or not followed
        settled,  // its receive is over already: the one that says so was given up
    };
    confirmation confirm(std::string_view key, std::string_view member, receiver_id by);

    // The message whose receive ends when `by` cleans up.
    [[nodiscard]] std::optional<message> clean(std::string_view key, receiver_id by);

    // The messages it popped and nobody confirmed. They stay here until take_orphan.
    [[nodiscard]] std::vector<orphan> receiver_gone(receiver_id who);
    // True: nobody confirmed it meanwhile; it is forgotten here and has to be put back.
    [[nodiscard]] bool take_orphan(std::string_view key, std::string_view member);
    // Its reply never left: it goes back at once.
    void forget(std::string_view key, std::string_view member);

    // Forgets queues without cleanups for a while, with what is noted of them.
    void sweep(std::int64_t now_ms);

    [[nodiscard]] std::size_t size() const { return entries_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    struct entry {
        message what;
        receiver_id popped_by = 0;
        receiver_id confirmed_by = 0;  // 0: not confirmed
        std::int64_t since_ms = 0;
        bool orphaned = false;
    };
    struct queue {
        std::vector<entry> entries;
        std::int64_t cleaned_ms = 0;
    };
    using entries_at = std::vector<entry>::iterator;
    [[nodiscard]] queue* find(std::string_view key);
    static entries_at find_member(queue& q, std::string_view member);
    entries_at erase(queue& q, entries_at at);
    void note_settled(std::string_view member);

    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::size_t entries_ = 0;
    std::unordered_map<std::string, queue> queues_;
    std::unordered_map<receiver_id, std::vector<std::string>> keys_of_;
    // Hashes of the members whose receive is over, the oldest first.
    std::deque<std::size_t> settled_order_;
    std::unordered_set<std::size_t> settled_;
};

}  // namespace channels
