#pragma once
// What an operator wants to happen to messages on their way to workers. One snapshot for all shards, never
// changed: a new one takes its place. Rules belong to a db; names of queues carry the application's prefix
// and stand for all lists of the queue.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/envelope.hpp"

namespace broker {

struct delivery_rate {
    double per_second = 0;
    double burst = 1;  // so many may pass at once after a pause
    bool operator==(const delivery_rate&) const = default;
};

// Of a message that lies too deep to be taken out of its list: done when it is popped.
struct delivery_mark {
    enum class action : std::uint8_t { deleted, moved };
    action what{};
    std::string target;  // moved: the list it goes to
    bool operator==(const delivery_mark&) const = default;
};

struct db_rules {
    using names = std::set<std::string, std::less<>>;
    names paused;    // queues: nothing is delivered
    names draining;  // queues: what is pushed is put aside, what is there is delivered
    std::map<std::string, delivery_rate, std::less<>> queue_rates;
    names held_tasks;  // put aside at delivery
    std::map<std::string, delivery_rate, std::less<>> task_rates;
    names revoked_ids;
    names revoked_tasks;
    std::vector<std::pair<std::string, std::string>> revoked_stamps;  // header and value
    std::map<std::string, delivery_mark, std::less<>> marks;          // by delivery tag

    [[nodiscard]] bool empty() const {
        return paused.empty() && draining.empty() && queue_rates.empty() && !looks_inside();
    }
    // Some message has to be looked at before it is delivered.
    [[nodiscard]] bool looks_inside() const;
    [[nodiscard]] bool names_tasks() const {
        return !held_tasks.empty() || !task_rates.empty() || !revoked_tasks.empty();
    }
    bool operator==(const db_rules&) const = default;
};

struct delivery_rules {
    std::map<int, db_rules> by_db;
    [[nodiscard]] const db_rules* of(int db) const {
        const auto found = by_db.find(db);
        return found == by_db.end() || found->second.empty() ? nullptr : &found->second;
    }
};

// The queue a list belongs to: the key without the priority that kombu puts behind its separator.
[[nodiscard]] std::string_view queue_of_list(std::string_view key);

// The entry for a list: under its queue's name, or under its own (a queue whose separator is configured).
template <class Table>
[[nodiscard]] auto find_queue(const Table& table, std::string_view list_key) {
    const auto found = table.find(queue_of_list(list_key));
    return found == table.end() ? table.find(list_key) : found;
}

enum class fate : std::uint8_t {
    deliver,
    deleted,  // by a mark; it is in the trash already
    moved,    // by a mark
    revoked,
    held,
};
struct fate_of_message {
    fate what = fate::deliver;
    std::string reason;  // revoked: "id", "task" or "stamp"; moved: the list it goes to
};
[[nodiscard]] fate_of_message judge(const db_rules& rules, const message_head& head);

}  // namespace broker
