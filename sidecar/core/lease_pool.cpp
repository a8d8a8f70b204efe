#include "sidecar/core/lease_pool.hpp"

#include <algorithm>

namespace sidecar {

namespace {
constexpr std::chrono::seconds idle_time_max{30};
constexpr std::chrono::seconds surplus_time_max{1};
}  // namespace

lease_pool::lease_pool(std::size_t leases_max, std::size_t reserved, make_link make)
    : leases_max_(std::max<std::size_t>(leases_max, 1)), reserved_(reserved), make_(std::move(make)) {}

bool lease_pool::room_for(lease_class use) const {
    const std::size_t kept_free = use == lease_class::blocking ? std::min(reserved_, leases_max_ - 1) : 0;
    return in_use_ + kept_free < leases_max_;
}

bool lease_pool::has_idle(const link_key& key) const {
    return std::any_of(idle_.begin(), idle_.end(), [&](link* l) { return l->key() == key; });
}

link* lease_pool::open(const link_key& key) {
    // The one used last: those that are too many stay unused and can be closed.
    const auto it = std::find_if(idle_.rbegin(), idle_.rend(), [&](link* l) { return l->key() == key; });
    link* chosen = nullptr;
    if (it != idle_.rend()) {
        chosen = *it;
        idle_.erase(std::next(it).base());
    } else {
        // Idle leases of another kind make room: their number counts against the bound too.
        if (in_use_ + idle_.size() >= leases_max_ && !idle_.empty()) {
            idle_.front()->retire();
            idle_.erase(idle_.begin());
        }
        all_.push_back(make_(key));
        chosen = all_.back().get();
    }
    ++in_use_;
    return chosen;
}

link* lease_pool::take(const link_key& key, lease_class use) {
    if (!waiters_[static_cast<int>(use)].empty() || !may_open(key, use)) return nullptr;
    return open(key);
}

bool lease_pool::may_open(const link_key& key, lease_class use) const {
    return room_for(use) && (now_ >= paused_until_ || has_idle(key));
}

void lease_pool::wait(const link_key& key, lease_class use, lease_waiter& who) {
    waiters_[static_cast<int>(use)].push_back({key, &who});
}

void lease_pool::stop_waiting(lease_waiter& who) {
    for (auto& list : waiters_) std::erase_if(list, [&](const waiter& w) { return w.who == &who; });
}

void lease_pool::give_back(link& lease, time_point now) {
    --in_use_;
    if (!lease.ready() || !lease.idle() || lease.retired()) {
        lease.retire();
        return;
    }
    lease.idle_since = now;
    idle_.push_back(&lease);
}

void lease_pool::destroy(link& lease) {
    --in_use_;
    lease.retire();
}

void lease_pool::serve_waiters() {
    for (const auto use : {lease_class::ordinary, lease_class::blocking}) {
        auto& list = waiters_[static_cast<int>(use)];
        while (!list.empty() && may_open(list.front().key, use)) {
            const waiter next = list.front();
            list.pop_front();
            next.who->on_lease(*open(next.key));
        }
    }
}

void lease_pool::tidy(time_point now, std::size_t warm_max) {
    std::size_t left = idle_.size();  // oldest first
    std::erase_if(idle_, [&](link* l) {
        const auto time_max = left > warm_max ? surplus_time_max : idle_time_max;
        const bool drop = now - l->idle_since > time_max || !l->ready();
        if (drop) l->retire();
        if (drop) --left;
        return drop;
    });
    std::erase_if(all_, [](const auto& l) {
        return l->retired() && (l->state() == link_state::idle || l->state() == link_state::waiting) &&
               l->io == nullptr && !l->dirty && l->idle();
    });
}

}  // namespace sidecar
