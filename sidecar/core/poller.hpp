#pragma once
// Serves blocking calls that have no connection of their own: equal calls form a group, and each group asks
// Redis by a non-blocking command at most every 50 ms, the call that waits longest being answered first. What
// is found when nobody in the group waits any more goes back.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sidecar/core/clock.hpp"
#include "sidecar/core/parked_call.hpp"

namespace sidecar {

class poll_group final : public reply_owner {
public:
    poll_group(shard_core& shard, std::string name, const parked_call& like);

    void add(parked_call& call) { members_.push_back(&call); }
    void remove(parked_call& call);
    // Asks once, unless an answer is outstanding.
    void ask(time_point now);
    // Its pops keep their message in Redis (see broker_gate).
    [[nodiscard]] bool reserves() const { return reserves_; }
    [[nodiscard]] int database() const { return key_.database; }

    // A question is under way, whose answer may be any member's.
    [[nodiscard]] bool asks() const { return outstanding_ > 0; }
    [[nodiscard]] bool unused() const { return members_.empty() && outstanding_ == 0; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] time_point asked_at() const { return asked_at_; }

    void on_reply(const upstream_entry& entry, std::string_view bytes, bool complete) override;
    loss_verdict on_link_lost(const upstream_entry& entry, bool sent) override;
    void on_never_sent(const upstream_entry&) override { on_poll_over(); }

private:
    void on_poll_over();
    std::string question();

    shard_core& shard_;
    std::string name_;
    broker::blocking_call call_;
    link_key key_;
    std::uint16_t command_;
    std::deque<parked_call*> members_;
    std::string reply_;
    int outstanding_ = 0;
    bool reserves_ = false;
    std::string reserve_name_;         // of the pop under way
    std::vector<std::string> tokens_;  // it holds, of its queues' rates
    time_point asked_at_{};
};

class poller {
public:
    explicit poller(shard_core& shard) : shard_(shard) {}

    void add(parked_call& call);
    void remove(parked_call& call);
    void on_time(time_point now);
    // Something may have come into lists of these dbs.
    void nudge(std::uint32_t dbs);
    [[nodiscard]] std::uint32_t reserving() const;
    [[nodiscard]] bool empty() const { return groups_.empty(); }

private:
    shard_core& shard_;
    std::map<std::string, std::unique_ptr<poll_group>> groups_;
};

}  // namespace sidecar
