#pragma once
// What of the observer's knowledge must outlive the process, in the broker's own db: enqueue times in the
// hashes `__sidecar:br:seen:<00…3f>` (tag → Unix milliseconds, bucket by tag), redelivery counts in
// `__sidecar:br:redelivered` (tag → count). Both end by themselves when nobody writes them for a week.
// Several sidecars share them: what one saw published, another finds when it sees it taken.
//
// Each call is bounded: in commands, in fields a command, and so in Redis's time.

#include <cstdint>
#include <string>

#include "broker/observer.hpp"
#include "broker/redis_port.hpp"

namespace broker {

struct store_counts {
    std::uint64_t times_written = 0;
    std::uint64_t times_removed = 0;
    std::uint64_t times_loaded = 0;
    std::uint64_t times_found = 0;  // looked up, as another sidecar saw the push
    std::uint64_t failures = 0;     // commands Redis refused or did not answer
};

class observer_store {
public:
    // Reads a slice of what is stored. True once everything was read; called until then.
    bool load(observer& into, redis_port& redis, std::int64_t now_us);
    // Writes what is new, once a second.
    void save(observer& from, redis_port& redis, std::int64_t now_us);
    // Asks Redis how long this db's lists are, and who stands at their head; once a second, a slice of them.
    void measure(observer& into, std::uint8_t db, redis_port& redis, std::int64_t now_us);

    [[nodiscard]] bool loaded() const { return loaded_; }
    [[nodiscard]] const store_counts& counts() const { return counts_; }

private:
    void save_times(observer& from, redis_port& redis);
    void save_redeliveries(observer& from, redis_port& redis);
    void look_up(observer& into, redis_port& redis);
    void measure_heads(observer& into, std::uint8_t db, redis_port& redis, std::int64_t now_us);
    void run(redis_port& redis, const std::vector<redis_command>& commands);

    bool loaded_ = false;
    std::size_t bucket_ = 0;
    std::string cursor_ = "0";
    bool redeliveries_loaded_ = false;
    std::size_t next_list_ = 0;
    std::int64_t heads_us_ = 0;
    store_counts counts_;
};

}  // namespace broker
