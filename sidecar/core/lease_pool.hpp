#pragma once
// Upstream connections that belong to one client for as long as it needs one: transactions typed step by
// step, WATCH, blocking calls, tracking. Kept warm when they come back clean, closed when in doubt.
//
//   take() ─→ an idle link of the same key, or a new one while there is room ─→ give_back() or destroy()
//   none free ─→ wait(): served in order of arrival as leases come back
//
// Blocking calls, and what keeps a lease for good, never use the last `reserved` leases, so that a thousand
// parked workers cannot keep a transaction from running.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "sidecar/core/link.hpp"

namespace sidecar {

enum class lease_class : std::uint8_t { blocking, ordinary };

class lease_waiter {
public:
    virtual void on_lease(link& lease) = 0;

protected:
    ~lease_waiter() = default;
};

class lease_pool {
public:
    using make_link = std::function<std::unique_ptr<link>(const link_key&)>;

    lease_pool(std::size_t leases_max, std::size_t reserved, make_link make);

    // nullptr: none free for this class, or others of the same class wait already.
    [[nodiscard]] link* take(const link_key& key, lease_class use);
    void wait(const link_key& key, lease_class use, lease_waiter& who);
    void stop_waiting(lease_waiter& who);
    // `clean`: the connection carries no state and no command of the last client.
    void give_back(link& lease, time_point now);
    void destroy(link& lease);

    // Upstream has no room for more connections: none is opened until then.
    void pause_until(time_point when) { paused_until_ = when; }
    void end_pause() { paused_until_ = {}; }
    void set_now(time_point now) { now_ = now; }

    // Hands free leases to those who wait; call when the turn's work is done. Waiters are called back.
    void serve_waiters();
    // Closes idle leases not used for a while, those beyond `warm_max` soon, and forgets closed ones.
    void tidy(time_point now, std::size_t warm_max);

    template <class F>
    void each(F&& f) const {
        for (const auto& l : all_) f(*l);
    }
    [[nodiscard]] std::size_t in_use() const { return in_use_; }
    [[nodiscard]] std::size_t idle() const { return idle_.size(); }
    [[nodiscard]] std::size_t waiting(lease_class use) const {
        return waiters_[static_cast<int>(use)].size();
    }
    [[nodiscard]] std::size_t waiting() const { return waiters_[0].size() + waiters_[1].size(); }

private:
    struct waiter {
        link_key key;
        lease_waiter* who;
    };
    [[nodiscard]] bool room_for(lease_class use) const;
    [[nodiscard]] bool may_open(const link_key& key, lease_class use) const;
    [[nodiscard]] bool has_idle(const link_key& key) const;
    link* open(const link_key& key);

    std::size_t leases_max_;
    std::size_t reserved_;
    make_link make_;
    std::vector<std::unique_ptr<link>> all_;
    std::vector<link*> idle_;
    std::deque<waiter> waiters_[2];  // by class
    std::size_t in_use_ = 0;
    time_point now_{};
    time_point paused_until_{};
};

}  // namespace sidecar
