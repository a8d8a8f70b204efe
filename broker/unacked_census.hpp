#pragma once
// How many messages workers hold of each queue, and in what state. The index of unacknowledged messages is
// walked tag by tag; what the observer saw being taken needs no look at the message, of the rest the end is
// read once and remembered. Bounded: beyond its limits a count is "at least".
//
// A complete walk also tells which messages the observer believes to be held that are not: what was settled
// past this process leaves no trace on its wire.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/broker_layout.hpp"
#include "broker/observer.hpp"
#include "broker/redis_port.hpp"
#include "broker/tag_key.hpp"

namespace broker {

struct unacked_counts {
    using by_state = std::map<unacked_state, std::uint64_t>;
    std::map<std::string, by_state, std::less<>> by_queue;  // "": of no known queue
    std::uint64_t total = 0;                                // as Redis counts
    bool complete = false;

    [[nodiscard]] std::uint64_t of(std::string_view queue) const;
};

struct census_limits {
    std::size_t tags_max = 200'000;    // of a walk
    std::size_t reads_max = 5'000;     // of messages not seen before, of a walk
    std::size_t memory_max = 200'000;  // tags whose queue was read
    std::int64_t fresh_us = 0;
    std::int64_t fresh_us_per_tag = 20;    // 200,000 are counted every four seconds
    std::int64_t settled_us = 10'000'000;  // noted before so long and not there: it was settled
};

class unacked_census {
public:
    // The queue that an exchange and a routing key lead to.
    using router = std::function<std::string(std::string_view exchange, std::string_view routing_key)>;

    explicit unacked_census(redis_port& redis, census_limits limits = {}) : redis_(redis), limits_(limits) {}

    // Counted now, or where there are many a few seconds ago; empty while Redis is away.
    [[nodiscard]] const unacked_counts& take(const broker_layout& layout, observer& seen,
                                             const broker_id& broker, const router& queue_of,
                                             std::int64_t now_us);

private:
    struct entry {
        unacked_counts counts;
        std::int64_t due_us = 0;
    };
    struct walk;

    [[nodiscard]] bool walk_index(walk& on);
    // Reads the queues of messages that nobody here saw being taken.
    void read_unseen(walk& on, const std::vector<std::string>& tags);
    void forget_settled(const walk& on);

    redis_port& redis_;
    census_limits limits_;
    std::map<std::string, entry> taken_;  // by prefix
    std::unordered_map<tag_key, std::string, tag_key_hash> queues_;
};

}  // namespace broker
