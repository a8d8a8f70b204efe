#include "sidecar/core/lease_pool.hpp"

#include <algorithm>

namespace sidecar {

namespace {
constexpr std::chrono::seconds idle_time_max{30};
}

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
    const auto it = std::find_if(idle_.begin(), idle_.end(), [&](link* l) { return l->key() == key; });
    link* chosen = nullptr;
    if (it != idle_.end()) {
        chosen = *it;
        idle_.erase(it);
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
    if (!room_for(use) || (now_ < paused_until_ && !has_idle(key))) return nullptr;
    const bool others_wait =
        std::any_of(waiters_.begin(), waiters_.end(), [&](const waiter& w) { return w.use == use; });
    return others_wait ? nullptr : open(key);
}

void lease_pool::wait(const link_key& key, lease_class use, lease_waiter& who) {
    waiters_.push_back({key, use, &who});
}

void lease_pool::stop_waiting(lease_waiter& who) {
    std::erase_if(waiters_, [&](const waiter& w) { return w.who == &who; });
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
    bool ordinary_blocked = false;
    bool blocking_blocked = false;
    for (std::size_t i = 0; i < waiters_.size() && !ordinary_blocked;) {
        const waiter next = waiters_[i];
        bool& blocked = next.use == lease_class::blocking ? blocking_blocked : ordinary_blocked;
        if (blocked || !room_for(next.use) || (now_ < paused_until_ && !has_idle(next.key))) {
            blocked = true;
            if (blocking_blocked && next.use == lease_class::blocking && room_for(lease_class::ordinary)) {
                ++i;
                continue;
            }
            break;
        }
        waiters_.erase(waiters_.begin() + static_cast<std::ptrdiff_t>(i));
        next.who->on_lease(*open(next.key));
        i = 0;
    }
}

void lease_pool::tidy(time_point now) {
    std::erase_if(idle_, [&](link* l) {
        const bool drop = now - l->idle_since > idle_time_max || !l->ready();
        if (drop) l->retire();
        return drop;
    });
    std::erase_if(all_, [](const auto& l) {
        return l->retired() && (l->state() == link_state::idle || l->state() == link_state::waiting) &&
               l->io == nullptr && !l->dirty && l->idle();
    });
}

}  // namespace sidecar
