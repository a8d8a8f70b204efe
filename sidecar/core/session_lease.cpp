// A dedicated upstream connection: taken, kept while the client's state needs it, given back clean or closed.
#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"

namespace sidecar {

// Runs the command on a lease. `until_answered`: the lease ends with this command's reply; otherwise it stays
// until something ends it (EXEC, UNWATCH …).
session::step session::with_lease(const command& c, link_role needed, bool until_answered) {
    if (lease_ != nullptr && lease_ends_) {
        if (entries_ > 0) return wait_for(stall::drain);
        reconsider_lease();
    }
    if (lease_ != nullptr && lease_->key().role != needed && until_answered) {
        // The connection at hand may not run this, and another would lose what is watched.
        if (lease_->key().role != link_role::full) needed = lease_->key().role;
    }
    if (lease_ == nullptr) {
        if (entries_ > 0) return wait_for(stall::drain);
        const auto key = shard_.key_for(database_, protocol_, needed, link_lane::lease);
        // Whoever tracks or monitors keeps the connection for good.
        const bool lasting = c.spec->id == verb::monitor || c.spec->id == verb::client;
        const auto use = lasting ? lease_class::blocking : lease_class::ordinary;
        lease_ = shard_.leases.take(key, use);
        if (lease_ == nullptr) {
            if (ended_) return end_instead();
            ++shard_.stats.count.lease_waits;
            waiting_since_ = shard_.now();
            shard_.leases.wait(key, use, *this);
            return wait_for(stall::lease);
        }
        ++shard_.stats.count.leases_granted;
        lease_->holder = this;
        lease_ends_ = lease_tainted_ = false;
    }
    const bool watched_before = watching_ || tracking_ || tx_ != nullptr;
    if (c.spec->id == verb::watch) watching_ = true;
    if (until_answered && !watching_ && !tracking_ && tx_ == nullptr) lease_ends_ = true;
    if (needed == link_role::full && role() != link_role::full && !until_answered) lease_tainted_ = true;
    if (c.spec->id == verb::wait || c.spec->id == verb::waitaof) {
        // See wait_command: makes this connection's last write later than all of the client's.
        upstream_entry no_op;
        no_op.submitted_us = shard_.now_us();
        no_op.command = c.spec->index;
        lease_->submit(no_op, resp::command({"SPUBLISH", "__sidecar:wait", ""}));
    }
    const auto before = life_;
    const step result = forward_on(*lease_, c, reply_use::sticky);
    // Nothing was sent: upstream is not to be reached, and the client has been told.
    if (life_ != before || (entries_ == 0 && !watched_before)) end_lease(false);
    return result;
}

void session::on_lease(link& lease) {
    ++shard_.stats.count.leases_granted;
    lease_ = &lease;
    lease.holder = this;
    lease_ends_ = lease_tainted_ = false;
    wake(stall::lease);
}

void session::end_lease(bool clean) {
    link* lease = lease_;
    lease_ = nullptr;
    lease->holder = nullptr;
    lease_ends_ = false;
    watching_ = tracking_ = streaming_ = false;
    if (paused_link_ == lease) unpause();
    if (clean && !lease_tainted_ && lease->ready()) {
        shard_.leases.give_back(*lease, shard_.now());
    } else {
        ++shard_.stats.count.leases_destroyed;
        shard_.leases.destroy(*lease);
    }
    lease_tainted_ = false;
}

// Everything on the lease is answered and nothing needs it any more.
void session::reconsider_lease() {
    if (lease_ == nullptr || entries_ > 0 || tx_ != nullptr) return;
    if (watching_ || tracking_ || streaming_) {
        lease_ends_ = false;
        return;
    }
    end_lease(true);
}

std::optional<time_point> session::lease_idle_since() const {
    const bool for_transaction = watching_ || tx_ != nullptr;
    if (lease_ == nullptr || !for_transaction || tracking_ || entries_ > 0 || life_ != session_life::open)
        return std::nullopt;
    return last_command_at_;
}

void session::close_idle_lease() {
    ++shard_.stats.count.clients_closed_idle_lease;
    close_now("it kept a transaction open and idle while others waited for a connection");
}

void session::on_lease_push(std::string_view frame) {
    if (life_ != session_life::open && life_ != session_life::draining) return;
    push(frame);
    shard_.check_later(*this);
}

bool session::on_lease_stream(std::string_view bytes) {
    if (!streaming_) return false;
    if (life_ == session_life::open) {
        append_output(bytes);
        check_output();
    }
    return true;
}

// What was watched, queued or tracked died with the connection: only a closed client connection tells the
// client so.
void session::on_lease_down(std::string_view cause) {
    if (life_ == session_life::closed || lease_ == nullptr) return;
    if (!lease_->ready() && entries_ > 0 && tx_ == nullptr && !watching_ && !tracking_ && !streaming_) return;
    shard_.log('w', "client closed",
               {{"client", std::to_string(id_)},
                {"addr", address_.remote},
                {"db", std::to_string(database_)},
                {"cause", "its dedicated upstream connection was lost: " + std::string(cause)}});
    end_lease(false);
    close_after_flush();
}

}  // namespace sidecar
