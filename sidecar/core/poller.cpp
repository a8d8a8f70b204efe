#include "sidecar/core/poller.hpp"

#include <algorithm>

#include "broker/put_back.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

namespace {
constexpr std::chrono::milliseconds poll_interval{50};
constexpr int outstanding_max = 1;
}  // namespace

poll_group::poll_group(shard_core& shard, std::string name, const parked_call& like)
    : shard_(shard), name_(std::move(name)), call_(like.call()), key_(like.key()), command_(like.command()) {
    key_.lane = link_lane::main;
    reserves_ = like.reserves();
}

void poll_group::remove(parked_call& call) {
    members_.erase(std::remove(members_.begin(), members_.end(), &call), members_.end());
    call.polled_in = nullptr;
}

void poll_group::ask(time_point now) {
    if (outstanding_ >= outstanding_max || members_.empty()) return;
    link& over = shard_.shared_link(key_);
    if (!over.ready()) {
        over.open_now();
        return;
    }
    asked_at_ = now;
    const std::string bytes = question();
    if (bytes.empty()) return;
    ++outstanding_;
    ++shard_.stats.count.polls;
    upstream_entry entry;
    entry.owner = this;
    entry.command = command_;
    entry.database = key_.database;
    entry.submitted_us = shard_.now_us();
    entry.use = reply_use::internal;
    entry.flags = entry_flag::unbounded;
    over.submit(entry, bytes);
}

// Empty: all of its lists are closed by a broker's rules.
std::string poll_group::question() {
    const bool pops =
        call_.kind == broker::blocking_kind::brpop || call_.kind == broker::blocking_kind::blpop;
    broker::blocking_call asked = call_;
    if (pops && shard_.watches(key_.database) && shard_.gate.closes_queues(key_.database)) {
        admission given = shard_.gate.admit(key_.database, call_.keys);
        tokens_ = std::move(given.tokens);
        if (given.keys.empty()) return {};
        if (!given.all) asked = narrowed(call_, given.keys);
    }
    if (!reserves_) return asked.as_poll();
    reserve_name_ = shard_.gate.next_name();
    const auto end =
        call_.kind == broker::blocking_kind::brpop ? broker::push_end::right : broker::push_end::left;
    return broker::reserve_command(asked.keys, end, reserve_name_);
}

void poll_group::on_reply(const upstream_entry&, std::string_view bytes, bool complete) {
    reply_.append(bytes);
    if (!complete) return;
    const std::string poll_reply = std::move(reply_);
    reply_.clear();
    const auto reply = broker::reply_from_poll(call_, poll_reply, key_.protocol);
    auto popped = reply ? broker::read_popped(call_, *reply) : std::nullopt;
    shard_.gate.give_back(key_.database, std::exchange(tokens_, {}),
                          popped ? std::string_view(popped->key) : std::string_view{});
    if (!reply) return on_poll_over();
    if (members_.empty()) {
        // Whoever asked is gone; what was taken goes back.
        if (popped && reserves_) shard_.gate.return_reserved(key_.database, *popped, reserve_name_);
        if (popped && !reserves_) shard_.put_back(key_.database, std::move(*popped), std::nullopt);
        return on_poll_over();
    }
    parked_call* first = members_.front();
    members_.pop_front();
    first->on_found(*reply, reserves_ ? std::string_view(reserve_name_) : std::string_view{});
    on_poll_over();
    ask(shard_.now());  // there may be more for the next in line
}

// Whoever has been granted a lease meanwhile leaves.
void poll_group::on_poll_over() {
    --outstanding_;
    const auto members = members_;
    for (parked_call* member : members) member->on_poll_over();
}

loss_verdict poll_group::on_link_lost(const upstream_entry&, bool sent) {
    reply_.clear();
    // Under its name it pops once, however often it is asked.
    if (reserves_) return loss_verdict::resend;
    shard_.gate.give_back(key_.database, std::exchange(tokens_, {}), {});
    if (sent && call_.pops()) ++shard_.stats.count.pops_unknown;
    on_poll_over();
    return loss_verdict::drop;
}

void poller::add(parked_call& call) {
    // `$` means "from now on", which no later question can ask again: such a call waits for a connection.
    if (!call.call().dollar_ids().empty() || call.polled_in != nullptr) return;
    const auto& key = call.key();
    std::string name = call.call().coalescing_key();
    name.append(1, static_cast<char>(key.database)).append(1, static_cast<char>(key.protocol));
    name.append(1, static_cast<char>(key.role)).append(call.reserves() ? "R" : "");
    auto& group = groups_[name];
    if (!group) group = std::make_unique<poll_group>(shard_, name, call);
    group->add(call);
    call.polled_in = group.get();
    group->ask(shard_.now());
}

void poller::remove(parked_call& call) {
    if (call.polled_in != nullptr) call.polled_in->remove(call);
}

void poller::nudge(std::uint32_t dbs) {
    for (auto& [name, group] : groups_)
        if (group->reserves() && (dbs >> static_cast<unsigned>(group->database()) & 1U) != 0)
            group->ask(shard_.now());
}

std::uint32_t poller::reserving() const {
    return static_cast<std::uint32_t>(
        std::count_if(groups_.begin(), groups_.end(), [](const auto& g) { return g.second->reserves(); }));
}

void poller::on_time(time_point now) {
    for (auto it = groups_.begin(); it != groups_.end();) {
        if (it->second->unused()) {
            it = groups_.erase(it);
            continue;
        }
        if (now - it->second->asked_at() >= poll_interval) it->second->ask(now);
        ++it;
    }
}

}  // namespace sidecar
