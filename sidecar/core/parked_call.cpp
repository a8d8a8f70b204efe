#include "sidecar/core/parked_call.hpp"

#include <algorithm>
#include <utility>

#include "broker/put_back.hpp"
#include "resp/number.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

namespace {
// How many keys are asked for their expiry before a pop, which would delete it with the last element.
constexpr std::size_t ttl_keys_max = 16;
constexpr std::chrono::milliseconds poll_delay{500};
}  // namespace

parked_call::parked_call(shard_core& shard, session& client, broker::blocking_call call, link_key key,
                         std::uint16_t command)
    : shard_(shard), client_(&client), call_(std::move(call)), key_(key), command_(command) {
    if (call_.timeout) deadline_ = shard_.now() + *call_.timeout;
    reserves_ = shard_.gate.reserves(key_.database, call_, client.id());
}

parked_call::~parked_call() = default;

void parked_call::start() {
    if (reserves_) return shard_.polls.add(*this);
    if (!admit()) return shut_out();
    give_tokens_back({});
    if (link* lease = shard_.leases.take(key_, lease_class::blocking)) {
        on_lease(*lease);
        return;
    }
    ++shard_.stats.count.lease_waits;
    shard_.leases.wait(key_, lease_class::blocking, *this);
    shard_.polls.add(*this);
}

// Forgets the lease before it is destroyed, which calls back.
void parked_call::drop_lease() {
    if (lease_ != nullptr) shard_.leases.destroy(*std::exchange(lease_, nullptr));
}

void parked_call::set_done() {
    state_ = state::done;
    shard_.parked_changed();
}

std::optional<std::chrono::milliseconds> parked_call::remaining() const {
    if (!deadline_) return std::nullopt;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - shard_.now());
    return std::max(left, std::chrono::milliseconds(1));
}

void parked_call::on_lease(link& lease) {
    ++shard_.stats.count.leases_granted;
    lease_ = &lease;
    // A poll under way may have popped for this call: until that is known, nothing else may pop for it.
    if (polled_in != nullptr && polled_in->asks()) return;
    on_poll_over();
}

void parked_call::on_poll_over() {
    if (lease_ == nullptr) return;
    shard_.polls.remove(*this);
    state_ = state::on_lease;
    issue(*lease_);
}

// Out of every queue. A lease that was not used yet goes to somebody else; one that the call stands on,
// unsent, is destroyed with it.
void parked_call::give_up() {
    shard_.leases.stop_waiting(*this);
    shard_.polls.remove(*this);
    if (state_ == state::on_lease) return drop_lease();
    release_lease();
}

void parked_call::issue(link& lease) {
    if (!admit()) return shut_out();
    const auto& asked = asked_ ? *asked_ : call_;
    upstream_entry entry;
    entry.owner = this;
    entry.command = command_;
    entry.database = key_.database;
    entry.submitted_us = shard_.now_us();
    entry.flags = entry_flag::unbounded;
    if (call_.pops()) {
        entry.use = reply_use::internal;
        const std::size_t count = std::min(asked.keys.size(), ttl_keys_max);
        for (std::size_t i = 0; i < count; ++i) {
            entry.number = static_cast<std::uint32_t>(i);
            lease.submit(entry, resp::command({"PTTL", asked.keys[i]}));
        }
    }
    entry.use = reply_use::blocking;
    lease.submit(entry, asked.with_timeout(patience()));
}

void parked_call::on_reply(const upstream_entry& entry, std::string_view bytes, bool complete) {
    reply_.append(bytes);
    if (!complete) return;
    std::string reply = std::move(reply_);
    reply_.clear();
    if (entry.use == reply_use::internal) {
        if (const auto ttl = resp::parse_number(std::string_view(reply).substr(1, reply.size() - 3)))
            ttl_ms_[entry.number] = *ttl;
        return;
    }
    finish(reply, {});
}

void parked_call::finish(const std::string& reply, std::string_view reserved) {
    const auto& asked = asked_ ? *asked_ : call_;
    auto popped = broker::read_popped(asked, reply);
    give_tokens_back(popped ? std::string_view(popped->key) : std::string_view{});
    if (kept_from_client(popped, reply, reserved)) return go_on();
    set_done();
    std::optional<std::int64_t> ttl;
    if (popped) {
        const auto it = std::find(asked.keys.begin(), asked.keys.end(), popped->key);
        const auto known = ttl_ms_.find(static_cast<std::uint32_t>(it - asked.keys.begin()));
        if (known != ttl_ms_.end() && known->second > 0) ttl = known->second;
    }
    if (client_ != nullptr) {
        session* client = client_;
        client_ = nullptr;
        client->on_parked_reply(reply, std::move(popped), ttl,
                                followed_ ? pop_care::followed : pop_care::put_back_unsent);
    } else if (popped && !reserved.empty()) {
        shard_.gate.return_reserved(key_.database, *popped, reserved);
    } else if (popped) {
        shard_.put_back(key_.database, std::move(*popped), ttl);
    }
    if (unblocks_asked_ == 0) release_lease();
}

void parked_call::release_lease() {
    shard_.parked_changed();
    if (lease_ == nullptr) return;
    link* lease = lease_;
    lease_ = nullptr;
    shard_.leases.give_back(*lease, shard_.now());
}

void parked_call::tell(const std::string& reply) {
    set_done();
    if (client_ == nullptr) return;
    session* client = client_;
    client_ = nullptr;
    client->on_parked_reply(reply, std::nullopt, std::nullopt);
}

void parked_call::on_found(const std::string& reply, std::string_view reserved) {
    polled_in = nullptr;
    shard_.leases.stop_waiting(*this);
    finish(reply, reserved);
}

void parked_call::abandon() {
    client_ = nullptr;
    looks_again_ = false;
    if (state_ == state::waiting || state_ == state::shut) {
        give_up();
        set_done();
    } else if (state_ == state::on_lease) {
        if (lease_->ready()) {
            ask_unblock(unblock_as::timeout);
        }
        // A lease still connecting drops the call by itself once it is ready.
    }
}

bool parked_call::unblock(unblock_as how) {
    if (state_ == state::done || client_ == nullptr) return false;
    looks_again_ = false;
    if (state_ == state::on_lease && lease_->ready()) {
        ask_unblock(how);
        return true;
    }
    give_up();
    tell(how == unblock_as::error ? "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
                                  : std::string(broker::timeout_reply(call_, key_.protocol)));
    return true;
}

void parked_call::ask_unblock(unblock_as how) {
    if (unblocks_asked_ > 0) return;
    ++unblocks_asked_;
    unblock_how_ = how;
    shard_.unblock_upstream(*lease_, this, how == unblock_as::error);
}

void parked_call::on_unblock_answered(std::string_view reply) {
    --unblocks_asked_;
    if (state_ == state::done) return release_lease();
    if (state_ == state::on_lease && reply != ":1\r\n") unblock_again_ = unblock_how_;
}

void parked_call::on_time(time_point now) {
    if (unblock_again_ && state_ == state::on_lease && lease_->ready())
        ask_unblock(*std::exchange(unblock_again_, {}));
    if (state_ == state::shut && now >= look_again_ && (!deadline_ || now < *deadline_)) {
        state_ = state::waiting;
        start();
    }
    if (poll_from_ && now >= *poll_from_) {
        poll_from_.reset();
        if (state_ == state::waiting) shard_.polls.add(*this);
    }
    if (!deadline_ || now < *deadline_ || state_ == state::done) return;
    if (state_ == state::on_lease && lease_->ready()) return;  // Redis keeps the time
    give_up();
    tell(std::string(broker::timeout_reply(call_, key_.protocol)));
}

void parked_call::on_lease_failed(const link& lease) {
    if (lease_ != &lease || client_ == nullptr) return;
    link* failed = lease_;
    lease_ = nullptr;
    state_ = state::waiting;
    shard_.leases.destroy(*failed);
    shard_.leases.wait(key_, lease_class::blocking, *this);
    shard_.polls.add(*this);
}

loss_verdict parked_call::on_link_lost(const upstream_entry& entry, bool sent) {
    reply_.clear();
    if (entry.use == reply_use::internal) return loss_verdict::drop;
    if (sent && call_.pops()) ++shard_.stats.count.pops_unknown;
    wait_again();
    return loss_verdict::drop;
}

// The connection died under the call: it is asked again, for the time that remains, when there is another.
void parked_call::wait_again() {
    drop_lease();
    if (client_ == nullptr) {
        set_done();
        return;
    }
    ++shard_.stats.count.parked_reissued;
    state_ = state::waiting;
    ttl_ms_.clear();
    // Polled only if no connection comes soon: the shared link may just be dying too, and with it what a poll
    // has popped.
    poll_from_ = shard_.now() + poll_delay;
    shard_.leases.wait(key_, lease_class::blocking, *this);
}

void parked_call::on_never_sent(const upstream_entry& entry) {
    if (entry.use == reply_use::internal || lease_ == nullptr) return;
    set_done();
    drop_lease();
}

}  // namespace sidecar
