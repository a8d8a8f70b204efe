#include "sidecar/core/subscription_registry.hpp"

#include <algorithm>
#include <utility>

#include "resp/glob.hpp"

namespace sidecar {

void subscription_registry::change(int upstream, kind k, std::string_view name, std::int64_t numbers::*member,
                                   int by) {
    auto& map = of(k);
    const auto it = map.try_emplace(key{upstream, std::string(name)}).first;
    it->second.*member = std::max<std::int64_t>(0, it->second.*member + by);
    if (it->second.gone()) map.erase(it);
}

void subscription_registry::add_upstream(int upstream, kind k, std::string_view name, int by) {
    const std::lock_guard lock(mutex_);
    change(upstream, k, name, &numbers::upstream, by);
    subscribed_count_.fetch_add(by, std::memory_order_release);
}

void subscription_registry::add_client(int upstream, kind k, std::string_view name, int by) {
    const std::lock_guard lock(mutex_);
    change(upstream, k, name, &numbers::clients, by);
}

std::uint64_t subscription_registry::begin_pending(int upstream, kind k, std::string_view name) {
    const std::lock_guard lock(mutex_);
    change(upstream, k, name, &numbers::pending, 1);
    tickets_.emplace(upstream, ++last_ticket_);
    pending_count_.fetch_add(1, std::memory_order_release);
    return last_ticket_;
}

std::set<int> subscription_registry::end_pending(int upstream, kind k, std::string_view name,
                                                 std::uint64_t ticket) {
    const std::lock_guard lock(mutex_);
    if (tickets_.erase({upstream, ticket}) == 0) return {};
    change(upstream, k, name, &numbers::pending, -1);
    pending_count_.fetch_sub(1, std::memory_order_release);
    return std::exchange(waiting_shards_, {});
}

bool subscription_registry::must_wait(int upstream, kind k, std::string_view channel, int shard) {
    if (!any_pending()) return false;
    const std::lock_guard lock(mutex_);
    const auto exact = of(k).find(key{upstream, std::string(channel)});
    bool wait = exact != of(k).end() && exact->second.pending > 0;
    if (k == kind::channel) {
        for (const auto& [name, n] : of(kind::pattern)) {
            if (wait) break;
            wait = name.first == upstream && n.pending > 0 && resp::glob_match(name.second, channel);
        }
    }
    if (wait) waiting_shards_.insert(shard);
    return wait;
}

bool subscription_registry::must_wait_for_any(int upstream, int shard, std::uint64_t& ticket) {
    if (!any_pending()) {
        ticket = 0;
        return false;
    }
    const std::lock_guard lock(mutex_);
    if (ticket == 0) ticket = last_ticket_;
    const auto oldest = tickets_.lower_bound({upstream, 0});
    if (oldest == tickets_.end() || oldest->first != upstream || oldest->second > ticket) {
        ticket = 0;
        return false;
    }
    waiting_shards_.insert(shard);
    return true;
}

void subscription_registry::tally::add(const numbers& n) {
    clients += n.clients;
    // Nobody wants it any more: it is being given up, and upstream may have forgotten it already.
    (n.clients > 0 ? upstream : leaving) += n.upstream;
}

std::int64_t subscription_registry::tally::corrected(std::int64_t count) const {
    const std::int64_t others = count - upstream;
    const std::int64_t still_counted = std::clamp<std::int64_t>(others, 0, leaving);
    return std::max<std::int64_t>(0, others - still_counted + clients);
}

std::int64_t subscription_registry::subscribers(int upstream, kind k, std::string_view channel,
                                                std::int64_t count) {
    const std::lock_guard lock(mutex_);
    tally ours;
    if (const auto it = of(k).find(key{upstream, std::string(channel)}); it != of(k).end())
        ours.add(it->second);
    return ours.corrected(count);
}

std::int64_t subscription_registry::receivers(int upstream, kind k, std::string_view channel,
                                              std::int64_t count) {
    if (!any_subscribed()) return count;
    if (k != kind::channel) return subscribers(upstream, k, channel, count);
    const std::lock_guard lock(mutex_);
    tally ours;
    if (const auto it = of(k).find(key{upstream, std::string(channel)}); it != of(k).end())
        ours.add(it->second);
    for (const auto& [name, n] : of(kind::pattern))
        if (name.first == upstream && resp::glob_match(name.second, channel)) ours.add(n);
    return ours.corrected(count);
}

}  // namespace sidecar
