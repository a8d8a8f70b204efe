#pragma once
// What the findings need to know of Redis beyond the traffic: its settings, its clock, what bindings and
// mailboxes it holds, locks and reply lists that were left. Gathered with few bounded commands.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/observer.hpp"
#include "broker/redis_port.hpp"

namespace broker {

struct left_list {
    broker_id broker;
    std::string key;
    std::uint64_t length = 0;
    bool expires = false;
};

struct redis_facts {
    bool known = false;  // Redis answered
    std::string maxmemory_policy;
    std::uint64_t maxmemory = 0;
    std::uint64_t used_memory = 0;
    bool appendonly = false;
    std::string save;
    std::optional<double> clock_ahead_s;                   // Redis's clock minus ours
    std::map<broker_id, std::set<std::string>> mailboxes;  // nodes with a pidbox binding
    std::map<broker_id, std::set<std::string>> bound;      // queues that some binding names
    std::map<broker_id, std::set<std::string>> exchanges;  // of which bindings were read
    std::set<broker_id> mutex_for_ever;                    // unacked_mutex without TTL
    std::vector<left_list> reply_lists;                    // with replies in them
    bool bindings_complete = false;                        // nothing was left out for its size
};

class fact_gatherer {
public:
    [[nodiscard]] redis_facts gather(const observer& from, std::uint8_t db, redis_port& redis,
                                     std::int64_t now_us);

private:
    void read_settings(redis_facts& into, redis_port& redis, std::int64_t now_us);
    void find_bindings(redis_port& redis);
    void read_bindings(redis_facts& into, std::uint8_t db, redis_port& redis);
    void read_leftovers(redis_facts& into, const observer& from, std::uint8_t db, redis_port& redis);

    std::set<std::string> binding_keys_;
    std::string cursor_ = "0";
};

}  // namespace broker
