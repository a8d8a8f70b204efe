#pragma once
// What the whole process listens to, over all shards. It exists for three questions that no shard can answer
// alone: how many receivers a PUBLISH truly had, how many subscribers a channel has, and whether a PUBLISH
// must wait because some shard's SUBSCRIBE to that name is on its way upstream.
//
// The one structure shared between shards. Its lock is taken by SUBSCRIBE and by PUBLISH's reply, never by a
// data command; while nobody subscribes at all, PUBLISH only reads an atomic.

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "channels/subscription_table.hpp"

namespace sidecar {

class subscription_registry {
public:
    using kind = channels::name_kind;

    // Upstream subscriptions held by shards (+1 when confirmed, -1 when given up) and clients that joined.
    void add_upstream(int upstream, kind k, std::string_view name, int change);
    void add_client(int upstream, kind k, std::string_view name, int change);

    // A SUBSCRIBE or the last UNSUBSCRIBE of a name is on its way; over when confirmed or given up. Returns
    // the shards that wait for such an end.
    std::uint64_t begin_pending(int upstream, kind k, std::string_view name);
    [[nodiscard]] std::set<int> end_pending(int upstream, kind k, std::string_view name,
                                            std::uint64_t ticket);

    [[nodiscard]] bool any_pending() const { return pending_count_.load(std::memory_order_acquire) > 0; }
    [[nodiscard]] bool any_subscribed() const {
        return subscribed_count_.load(std::memory_order_acquire) > 0;
    }

    // True when a PUBLISH to `channel` (nullopt-like empty kind: anything, as a script may publish) must
    // wait; the shard is then among those end_pending names.
    [[nodiscard]] bool must_wait(int upstream, kind k, std::string_view channel, int shard);
    // A script may publish anything: it waits for all that was pending when it asked first (`ticket` 0, then
    // kept by the caller), not for what comes later.
    [[nodiscard]] bool must_wait_for_any(int upstream, int shard, std::uint64_t& ticket);

    // Upstream's receiver count, less the shards' own subscriptions, plus the clients behind them.
    [[nodiscard]] std::int64_t receivers(int upstream, kind k, std::string_view channel,
                                         std::int64_t upstream_count);
    // The same for PUBSUB NUMSUB, which does not count patterns.
    [[nodiscard]] std::int64_t subscribers(int upstream, kind k, std::string_view channel,
                                           std::int64_t upstream_count);

private:
    struct numbers {
        std::int64_t upstream = 0;
        std::int64_t clients = 0;
        std::int64_t pending = 0;
        [[nodiscard]] bool gone() const { return upstream == 0 && clients == 0 && pending == 0; }
    };
    struct tally {  // of the names that a message reaches
        std::int64_t upstream = 0;
        std::int64_t leaving = 0;
        std::int64_t clients = 0;
        void add(const numbers& n);
        [[nodiscard]] std::int64_t corrected(std::int64_t count) const;
    };
    using key = std::pair<int, std::string>;  // upstream, name
    std::map<key, numbers>& of(kind k) { return names_[static_cast<int>(k)]; }
    void change(int upstream, kind k, std::string_view name, std::int64_t numbers::*member, int by);

    std::mutex mutex_;
    std::map<key, numbers> names_[channels::name_kinds];
    std::set<int> waiting_shards_;
    std::set<std::pair<int, std::uint64_t>> tickets_;  // upstream, ticket of each pending SUBSCRIBE
    std::uint64_t last_ticket_ = 0;
    std::atomic<std::int64_t> pending_count_{0};
    std::atomic<std::int64_t> subscribed_count_{0};
};

}  // namespace sidecar
