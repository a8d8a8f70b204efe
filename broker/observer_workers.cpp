// Views of workers and of the messages they hold.

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "broker/observer_state.hpp"

namespace broker {
namespace {

constexpr std::size_t orphans_max = 10'000;
// Heartbeats this many intervals late make a worker silent.
constexpr double heartbeats_missed = 4;

std::optional<std::int64_t> when(std::int64_t us) {
    return us == 0 ? std::nullopt : std::optional(us);
}

liveness state_of(const node_record& node, const process_record* process, std::int64_t now_us) {
    if (node.said_offline) return liveness::offline;
    if (process != nullptr && process->gone_us != 0) return liveness::gone;
    if (node.heartbeat_us == 0) return process == nullptr ? liveness::unknown : liveness::online;
    const double every_s = node.every_s > 0 ? node.every_s : 2;
    const double late_s = static_cast<double>(now_us - node.heartbeat_us) / 1e6;
    if (late_s <= heartbeats_missed * every_s + 1) return liveness::online;
    return process == nullptr ? liveness::unknown : liveness::silent;
}

void add_process(worker_view& view, std::uint64_t id, const process_record& process,
                 const observer::state& at) {
    if (view.process == 0 || process.consumes) view.process = id;
    if (view.address.empty()) view.address = process.host;
    view.clients.insert(view.clients.end(), process.open.begin(), process.open.end());
    view.put_backs += process.put_backs;
    if (process.last_poll_us != 0)
        view.last_poll_us = std::max(view.last_poll_us.value_or(0), process.last_poll_us);
    if (process.gone_us != 0 && process.consumes) view.gone_us = process.gone_us;
    const std::int64_t started = process.started_us;
    view.started_us = std::min(view.started_us.value_or(started), started);
    std::set<std::string> queues(view.queues.begin(), view.queues.end());
    for (const auto* const members : {&process.open, &process.gone}) {
        for (const std::uint64_t client_id : *members) {
            const client_record* const client = at.workers.find(client_id);
            if (client == nullptr || (client->gone_us != 0 && process.gone_us == 0)) continue;
            for (const std::string& key : client->poll_keys)
                queues.insert(at.names.list_of(client->db, key).queue);
            if (!client->visibility_timeout_s) continue;
            const double seconds = *client->visibility_timeout_s;
            view.visibility_timeout_s = std::min(view.visibility_timeout_s.value_or(seconds), seconds);
        }
    }
    view.queues.assign(queues.begin(), queues.end());
}

// One that waits for lists as only kombu does, by priority; any other program's lists are not ours to tell
// of.
bool waits_by_priority(const client_record& client) {
    if (!client.roles.contains(client_role::consumer)) return false;
    const std::vector<std::string_view> keys(client.poll_keys.begin(), client.poll_keys.end());
    return learn_lists(keys).certain;
}

}  // namespace

std::vector<worker_view> observer::workers() const {
    const state& at = *state_;
    std::map<std::uint64_t, std::uint64_t> held;
    at.unacked.for_each([&](const held_message& each) {
        if (each.noted_by == 0) return;
        if (const client_record* const client = at.workers.find(each.noted_by)) ++held[client->process];
    });
    std::map<std::pair<broker_id, std::string>, worker_view> named;
    std::vector<worker_view> all;
    for (const auto& [key, node] : at.workers.nodes()) {
        const process_record* const process = at.workers.process(node.process);
        worker_view& view = named[key];
        view.broker = node.broker;
        view.node = node.node;
        view.state = broker::state_of(node, process, at.now_us);
        view.last_heartbeat_us = when(node.heartbeat_us);
        if (node.every_s > 0) view.heartbeat_every_s = node.every_s;
        view.clock_skew_s = node.skew_s;
        view.pid = node.pid;
        view.active = node.active;
        view.processed = node.processed;
        view.load = node.load;
        if (const auto stats = at.stats.find(key); stats != at.stats.end()) {
            view.concurrency = stats->second.concurrency;
            view.prefetch = stats->second.prefetch;
        }
        view.software = node.software;
        view.system = node.system;
        if (node.online_us != 0) view.started_us = node.online_us;
        if (process != nullptr) {
            add_process(view, node.process, *process, at);
            if (process->gone_us != 0) view.gone_us = process->gone_us;
            view.unacked += held[node.process];
        }
    }
    for (const auto& [id, process] : at.workers.processes()) {
        if (!process.consumes) continue;
        const auto owner = named.find({process.broker, process.node});
        if (!process.node.empty() && owner != named.end()) {
            const auto node = at.workers.nodes().find(owner->first);
            if (node->second.process == id) continue;
            // An earlier process of the same name only counts for what it still holds.
            if (process.gone_us == 0) add_process(owner->second, id, process, at);
            owner->second.unacked += held[id];
            continue;
        }
        worker_view view;
        view.broker = process.broker;
        view.state = process.gone_us == 0 ? liveness::online : liveness::gone;
        view.gone_us = when(process.gone_us);
        add_process(view, id, process, at);
        view.unacked = held[id];
        all.push_back(std::move(view));
    }
    for (auto& [key, view] : named) all.push_back(std::move(view));
    std::stable_sort(all.begin(), all.end(), [](const worker_view& a, const worker_view& b) {
        return std::tie(a.broker, a.node) < std::tie(b.broker, b.node);
    });
    return all;
}

std::vector<worker_place> observer::worker_places() const {
    std::set<worker_place> places;
    const state& at = *state_;
    for (const auto& [id, process] : at.workers.processes()) {
        const bool works =
            std::any_of(process.open.begin(), process.open.end(), [&](std::uint64_t client_id) {
                const client_record* const client = at.workers.find(client_id);
                return client != nullptr &&
                       (client->roles.contains(client_role::acks) || waits_by_priority(*client));
            });
        if (works || (!process.open.empty() && !process.node.empty()))
            places.insert({process.host, process.node});
    }
    return {places.begin(), places.end()};
}

void observer::set_elsewhere(elsewhere others) {
    state_->workers.set_elsewhere(std::move(others));
}

std::optional<std::int64_t> observer::enqueued_at_us(std::string_view tag) const {
    const auto* const known = state_->times.find(tag);
    return known == nullptr ? std::nullopt : std::optional(known->enqueued_us);
}

std::uint64_t observer::redeliveries(std::string_view tag) const {
    const auto found = state_->redelivered.find(key_of(tag));
    return found == state_->redelivered.end() ? 0 : found->second.count;
}

owner_view observer::owner_of(const broker_id& broker, std::string_view tag) const {
    const held_message* const held = std::as_const(state_->unacked).find(tag);
    owner_view view;
    if (held != nullptr && held->client() != 0) {
        view = state_->workers.owner(held->client(), state_->now_us, state_->limits.orphan_after_us);
        view.taken_us = held->taken_us;
    }
    view.visibility_timeout_s = visibility_timeout_s(broker);
    return view;
}

unacked_state observer::state::state_of(const held_message& held, std::optional<double> timeout_s) const {
    if (held.client() != 0 &&
        workers.owner(held.client(), now_us, limits.orphan_after_us).state == owner_state::orphan) {
        return unacked_state::orphan;
    }
    const double held_s = static_cast<double>(now_us - held.taken_us) / 1e6;
    if (timeout_s && held_s > *timeout_s) return unacked_state::overdue;
    if (held.eta_us > now_us) return unacked_state::eta;
    const task_record* const task = held.id.empty() ? nullptr : tasks.find(held.id);
    if (task == nullptr || task->tag != held.tag) return unacked_state::unknown;
    if (task->state == task_state::started) return unacked_state::running;
    return task->state == task_state::received ? unacked_state::prefetched : unacked_state::unknown;
}

unacked_state observer::state_of(const broker_id& broker, std::string_view tag) const {
    const held_message* const held = std::as_const(state_->unacked).find(tag);
    return held == nullptr ? unacked_state::unknown : state_->state_of(*held, visibility_timeout_s(broker));
}

std::map<unacked_state, std::uint64_t> observer::unacked_by_state(const broker_id& broker) const {
    std::map<unacked_state, std::uint64_t> counted;
    const auto timeout_s = visibility_timeout_s(broker);
    state_->unacked.for_each([&](const held_message& held) {
        if (held.noted_by == 0 || state_->broker_of(held) != broker) return;
        ++counted[state_->state_of(held, timeout_s)];
    });
    return counted;
}

std::vector<orphan_view> observer::orphans() const {
    std::vector<orphan_view> all;
    state_->unacked.for_each([&](const held_message& held) {
        if (all.size() >= orphans_max || held.noted_by == 0) return;
        const client_record* const client = state_->workers.find(held.client());
        const process_record* const process =
            client == nullptr ? nullptr : state_->workers.process(client->process);
        if (process == nullptr || process->gone_us == 0) return;
        const owner_view owner =
            state_->workers.owner(held.client(), state_->now_us, state_->limits.orphan_after_us);
        if (owner.state != owner_state::orphan) return;
        orphan_view view;
        view.broker = state_->broker_of(held);
        view.hash = held.hash;
        view.tag = held.tag;
        view.task = held.task;
        view.id = held.id;
        if (held.list) {
            view.queue = state_->name_of(state_->lists[*held.list]).queue;
            view.list = state_->lists[*held.list].key;
        }
        view.address = owner.address;
        view.node = owner.node;
        view.gone_us = *owner.gone_us;
        view.taken_us = held.taken_us;
        all.push_back(std::move(view));
    });
    std::sort(all.begin(), all.end(),
              [](const orphan_view& a, const orphan_view& b) { return a.gone_us < b.gone_us; });
    return all;
}

broker_id observer::state::broker_of(const held_message& held) const {
    if (held.list) return names.broker_of(lists[*held.list].db, lists[*held.list].key);
    return names.broker_of(held.db, held.hash);
}

std::string_view to_text(unacked_state state) {
    constexpr std::array<std::string_view, 6> names{"unknown", "running", "prefetched",
                                                    "eta",     "overdue", "orphan"};
    return names[static_cast<std::size_t>(state)];
}

std::string_view to_text(liveness state) {
    constexpr std::array<std::string_view, 5> names{"unknown", "online", "silent", "offline", "gone"};
    return names[static_cast<std::size_t>(state)];
}

std::string_view to_text(owner_state state) {
    constexpr std::array<std::string_view, 5> names{"unknown", "alive", "leaving", "orphan", "reconnected"};
    return names[static_cast<std::size_t>(state)];
}

std::string_view to_text(task_state state) {
    constexpr std::array<std::string_view, 11> names{"unknown",  "sent",    "taken",     "received",
                                                     "started",  "retry",   "succeeded", "failed",
                                                     "rejected", "revoked", "lost"};
    return names[static_cast<std::size_t>(state)];
}

std::string_view to_text(client_role role) {
    constexpr std::array<std::string_view, 6> names{"unknown", "consumer", "publisher",
                                                    "acks",    "control",  "events"};
    return names[static_cast<std::size_t>(role)];
}

}  // namespace broker
