#pragma once
// Receivers of channels_redis's core layer that wait for a message, of one shard. They hold no connection:
//
//   add() ─→ asked at once for the lowest message
//     │ nothing there: one of a few leased connections waits by BZMPOP for up to keys_max queues together
//     │ more queues than that, or no lease: asked in turn, a bounded number every 50 ms
//     └ deadline (before the client's own socket timeout) ─→ nil
//
// Receivers of one queue are served in the order they came.
//
// A process's queue K! has one reader with one receive at a time, which begins by putting back what stands in
// K!$inflight. There a message is noted in the same step that takes it, so it outlives whatever dies; one
// that comes for somebody who is gone is left there, and whoever waits by then is told nil, so that he looks.
// A normal channel's readers share K$inflight: what is popped from it is kept in memory until it is
// confirmed.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "channels/receive_ledger.hpp"
#include "sidecar/core/clock.hpp"
#include "sidecar/core/link.hpp"
#include "sidecar/core/upstream_queue.hpp"

namespace sidecar {

class receiver_pool;
class session;
class shard_core;

// One leased connection that waits for many queues.
class shared_wait final : public reply_owner {
public:
    shared_wait(receiver_pool& pool, shard_core& shard) : pool_(pool), shard_(shard) {}

    [[nodiscard]] bool idle() const { return lease_ == nullptr; }
    // False: no connection is free.
    bool issue(int db, std::vector<std::string> names, const std::vector<std::string_view>& keys);
    void on_lease_failed(const link& lease);
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

    void on_reply(const upstream_entry& entry, std::string_view bytes, bool complete) override;
    loss_verdict on_link_lost(const upstream_entry& entry, bool sent) override;
    void on_never_sent(const upstream_entry& entry) override;

private:
    void over(bool destroyed);

    receiver_pool& pool_;
    shard_core& shard_;
    link* lease_ = nullptr;
    int db_ = 0;
    std::vector<std::string> names_;  // of queues, as the pool calls them
    std::string reply_;
};

class receiver_pool {
public:
    explicit receiver_pool(shard_core& shard);
    receiver_pool(const receiver_pool&) = delete;
    receiver_pool& operator=(const receiver_pool&) = delete;

    void add(session& who, int db, std::string_view key, time_point deadline);
    // It is gone, or was told otherwise.
    void remove(session& who, int db, std::string_view key);
    // Something was put into the queue.
    void wake(int db, std::string_view key);
    // Something was left in K$inflight.
    void nudge(int db, std::string_view key);
    // A message popped for somebody who never got it, or whose receive was given up.
    void give_back(int db, std::string_view key, const channels::receive_ledger::message& what);
    // The popping connection of a normal channel's message is closed; unless another confirms it soon it goes
    // back.
    void adopt(int db, channels::receive_ledger::orphan what);

    void on_turn();
    void on_time(time_point now);
    void on_lease_failed(const link& lease);
    [[nodiscard]] bool wants_fine_ticks() const { return !open_.empty(); }
    [[nodiscard]] std::size_t waiting() const { return waiting_; }
    [[nodiscard]] std::size_t connections() const;

    // From shared_wait: an element, nothing, or the loss of its connection.
    void on_shared_reply(int db, std::string_view reply);
    void on_shared_over(const std::vector<std::string>& names, bool lost);

private:
    struct place {
        session* who;
        time_point deadline;
    };
    struct queue {
        int db = 0;
        std::string key;
        std::deque<place> line;
        int asking = 0;           // scripts under way
        bool ask_again = false;   // something came meanwhile
        bool look_again = false;  // a pop's answer was lost: what it took stands in K$inflight
        bool stale = false;       // not asked since the connection was lost
        int covered = 0;          // shared waits that name it
        // Somebody waits and nothing is under way for it.
        [[nodiscard]] bool uncovered() const { return !line.empty() && asking == 0 && covered == 0; }
    };
    struct orphan_at {
        time_point at;
        int db;
        channels::receive_ledger::orphan what;
    };
    using queue_map = std::unordered_map<std::string, std::unique_ptr<queue>>;

    static std::string name_of(int db, std::string_view key);
    [[nodiscard]] queue* find(const std::string& name);
    void ask(const std::string& name);
    void on_asked(const std::string& name, std::uint64_t for_whom, std::string_view reply);
    void reserve(const std::string& name, channels::receive_ledger::message what);
    void deliver(queue& q, channels::receive_ledger::message what, std::uint64_t for_whom);
    void put_back_later(const queue& q, const channels::receive_ledger::message& what);
    [[nodiscard]] link& main_link(int db);
    void tidy(const std::string& name);
    void tell_all(queue& q, const std::string& error);
    void pop(int db, const std::string& key, std::function<void(std::string_view)> done);
    // Nil for whoever waits: he cleans up and comes again.
    void tell_nil(int db, std::string_view key);
    void issue_wait(time_point now);
    void poll_some();
    void settle_orphans(time_point now);
    [[nodiscard]] std::vector<queue*> uncovered_of_one_db();

    shard_core& shard_;
    queue_map queues_;
    std::vector<std::unique_ptr<shared_wait>> waits_;
    std::deque<orphan_at> orphans_;
    std::size_t rotation_ = 0;  // where the next choice of queues begins
    std::size_t waiting_ = 0;
    std::unordered_set<std::string> open_;  // names of queues that may be uncovered, or stale
    time_point issue_from_{};
    time_point polled_at_{};
    time_point swept_at_{};
};

}  // namespace sidecar
