#pragma once
// When each message was published, by delivery tag, from its push until it is acknowledged; and for each list
// the times of those that wait in it, in order, so that the oldest is at hand. Kept in Redis by
// observer_store: what is to be written or removed there is collected here.
//
// Invariant: an entry is `waiting` exactly while it counts in its list's `waiting`; the order of a list may
// still hold entries that are not, which are skipped and dropped when they come to the front.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/tag_key.hpp"

namespace broker {

class enqueue_times {
public:
    using list_number = std::uint32_t;

    struct entry {
        std::int64_t enqueued_us = 0;
        list_number list = 0;
        bool waiting = false;
        bool stored = false;  // it is in Redis
    };

    explicit enqueue_times(std::size_t entries_max) : entries_max_(entries_max) {}

    // A message is in a list now. A tag that is known keeps the time of its first push. False: no room.
    bool waits(std::string_view tag, list_number list, std::int64_t enqueued_us);
    // It was taken out of its list.
    void taken(std::string_view tag);
    // It is no more.
    void forget(std::string_view tag);
    // Everything that waits in the list is gone, or all but the newest `kept`.
    void trim(list_number list, std::uint64_t kept);

    // Learnt from Redis: where the message is, is not known.
    void restore(std::string_view tag, std::int64_t enqueued_us);

    [[nodiscard]] const entry* find(std::string_view tag) const;
    [[nodiscard]] std::optional<std::int64_t> oldest_us(list_number list) const;
    [[nodiscard]] std::uint64_t waiting(list_number list) const;
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

    // Entries older than this are dropped, a slice at each call.
    void expire(std::int64_t before_us);

    struct change {
        std::string tag;
        std::int64_t enqueued_us = 0;  // 0: remove
    };
    // What Redis does not know yet. Of short-lived messages nothing is left to tell.
    [[nodiscard]] std::vector<change> take_changes(std::size_t limit);
    // Changes that found no room to wait for their turn.
    [[nodiscard]] std::uint64_t changes_dropped() const { return changes_dropped_; }

private:
    static constexpr std::size_t changes_max = 200'000;

    struct place {
        tag_key key;
        std::int64_t enqueued_us = 0;
    };
    struct list_order {
        mutable std::deque<place> order;  // by time
        std::uint64_t waiting = 0;
    };

    [[nodiscard]] bool stands(const place& at, list_number list) const;
    void leave_list(entry& one);
    void compact(list_number list);
    void note_change(std::string_view tag, std::int64_t enqueued_us);

    std::size_t entries_max_;
    std::unordered_map<tag_key, entry, tag_key_hash> entries_;
    std::vector<list_order> lists_;
    std::deque<change> changes_;
    std::deque<std::pair<tag_key, std::int64_t>> by_age_;  // of first pushes, for expire()
    std::uint64_t refused_ = 0;
    std::uint64_t changes_dropped_ = 0;
};

}  // namespace broker
