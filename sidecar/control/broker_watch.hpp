#pragma once
// What is made of the observer's knowledge: problems looked for now and then, workers asked for their
// figures, remote control, orphans brought back, and the metrics ready as text. Everything but metrics_text()
// belongs to the control thread.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker_metrics.hpp"
#include "broker/findings.hpp"
#include "broker/observer.hpp"
#include "broker/observer_store.hpp"
#include "broker/pidbox_caller.hpp"
#include "broker/redis_facts.hpp"
#include "sidecar/config/config.hpp"

namespace sidecar {

enum class restore_outcome : std::uint8_t {
    done,
    gone,     // somebody else took care of it
    not_now,  // Redis did not answer
    unfit,    // it cannot be put back by us
};

struct watch_hooks {
    std::function<broker::redis_port&(int db)> redis;
    std::function<std::int64_t()> unix_us;
    std::function<std::string()> fresh_uuid;
    // Puts an orphan back to the head of its queue.
    std::function<restore_outcome(const broker::orphan_view&)> restore;
};

class broker_watch {
public:
    broker_watch(const broker_settings& settings, broker::observer& observer, watch_hooks hooks);

    void every_second(const broker::store_counts& store);

    // As of the last look, at most ten seconds ago; `look_now` looks again.
    [[nodiscard]] const std::vector<broker::finding>& findings() const { return findings_; }
    void look_now();
    // Remote control of a broker's workers. What they answer to `stats` is remembered.
    [[nodiscard]] broker::pidbox_answer control(const broker::broker_id& broker,
                                                const broker::pidbox_call& call);

    // From any thread: as of the last second.
    [[nodiscard]] std::string metrics_text() const;

private:
    void ask_stats(std::int64_t now_us);
    void restore_orphans();

    const broker_settings settings_;
    const watch_hooks hooks_;
    broker::observer& observer_;
    std::map<int, broker::fact_gatherer> gatherers_;
    std::vector<broker::finding> findings_;
    std::int64_t looked_us_ = 0;
    std::uint64_t restored_ = 0;
    std::set<std::string> unfit_;  // orphans that are only shown
    struct survey {
        std::int64_t due_us = 0;
        std::int64_t pause_us = 0;    // to the one after
        std::set<std::string> nodes;  // online by then
    };
    std::map<broker::broker_id, survey> surveys_;

    mutable std::mutex mutex_;
    std::shared_ptr<const std::string> metrics_;
};

}  // namespace sidecar
