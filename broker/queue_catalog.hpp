#pragma once
// Which queues there are: nothing in Redis lists them, an empty one has no key at all. Found by going round
// the keyspace in small steps of SCAN, never with KEYS: binding sets name queues that were declared, lists
// whose head is a kombu message are queues that hold something. Prefixes of several applications show in the
// names of their binding sets and of their unacked hashes.
//
// A name is forgotten when a whole round has not met it again.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker_layout.hpp"
#include "broker/redis_port.hpp"

namespace broker {

struct found_list {
    std::string key;
    bool kombu = false;  // its head carries a delivery tag
};

struct queue_binding {
    std::string exchange;
    std::string routing_key;
    std::string pattern;
    std::string queue;
};

class queue_catalog {
public:
    explicit queue_catalog(redis_port& redis) : redis_(redis) {}

    // A small piece of the round: a few commands, each well below a millisecond. False: Redis is away.
    bool step();
    // Steps until the first round is over, at most so many.
    void catch_up(int steps_max);
    // Ends the round under way and goes through one more, in at most so many steps: what came since the last
    // one is then known, where there are not many keys.
    void look_again(int steps_max);

    // Prefixes of applications, "" first where there is one, or where there is none at all.
    [[nodiscard]] std::vector<std::string> prefixes() const;
    // Queues under a prefix, sorted, without internal ones. Lists of priorities count for their queue.
    [[nodiscard]] std::vector<std::string> queues(const broker_layout& layout) const;
    [[nodiscard]] std::vector<queue_binding> bindings(const broker_layout& layout) const;
    // Lists under the prefix that hold something else than kombu's messages.
    [[nodiscard]] std::vector<std::string> foreign_lists(const broker_layout& layout) const;
    // Names somebody learnt elsewhere, in this round's turn.
    void add(const broker_layout& layout, const std::string& queue);
    [[nodiscard]] bool complete() const { return rounds_ > 0; }
    [[nodiscard]] std::size_t dropped_names() const { return dropped_; }

private:
    void scan_lists();
    void scan_bindings();
    void read_binding(const std::string& key);
    void end_round();
    resp::value scan(const std::string& cursor, std::string_view type, std::string_view pattern);

    static constexpr std::size_t names_max = 20'000;

    redis_port& redis_;
    std::map<std::string, std::uint64_t> lists_;    // kombu's, by key → round it was last met in
    std::map<std::string, std::uint64_t> foreign_;  // other lists
    std::map<std::string, std::uint64_t> unacked_;  // hashes' indexes by key
    std::map<std::string, std::pair<std::uint64_t, std::vector<queue_binding>>> bindings_;  // by key
    std::string list_cursor_ = "0";
    std::string binding_cursor_ = "0";
    bool lists_done_ = false;
    bool bindings_done_ = false;
    bool away_ = false;
    std::uint64_t round_ = 1;
    std::uint64_t rounds_ = 0;  // finished
    std::size_t dropped_ = 0;
};

}  // namespace broker
