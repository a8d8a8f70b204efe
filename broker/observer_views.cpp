#include "broker/observer_views.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "broker/observer_state.hpp"

namespace broker {
namespace {

std::optional<std::int64_t> when(std::int64_t us) {
    return us == 0 ? std::nullopt : std::optional(us);
}

std::optional<std::int64_t> later(std::optional<std::int64_t> one, std::int64_t other) {
    return other == 0 ? one : std::optional(std::max(one.value_or(0), other));
}

histogram_view view_of(const histogram& from) {
    return {{from.bounds().begin(), from.bounds().end()},
            {from.in_bucket().begin(), from.in_bucket().end()},
            from.count(),
            from.sum()};
}

}  // namespace

std::vector<broker_id> observer::brokers() const {
    std::set<broker_id> found;
    for (list_record& list : state_->lists) {
        const list_name& name = state_->name_of(list);
        if (is_work_queue(name.queue)) found.insert(name.broker);
    }
    for (const auto& [key, node] : state_->workers.nodes()) found.insert(node.broker);
    return {found.begin(), found.end()};
}

std::vector<std::string> observer::result_prefixes(std::uint8_t db) const {
    return state_->names.result_prefixes(db);
}

std::vector<naming> observer::namings(const broker_id& broker) const {
    return state_->names.namings(broker);
}

std::string observer::unacked_key(const broker_id& broker) const {
    return state_->names.unacked_key(broker);
}

std::string observer::unacked_index_key(const broker_id& broker) const {
    return state_->names.index_key(broker);
}

std::vector<queue_view> observer::queues() const {
    std::map<std::pair<broker_id, std::string>, queue_view> found;
    std::map<std::pair<broker_id, std::string>, bool> head_unknown;
    const state& at = *state_;
    for (list_number number = 0; number < at.lists.size(); ++number) {
        list_record& list = state_->lists[number];
        const list_name& name = at.name_of(list);
        const bool broadcast = classify_key(name.queue).kind == key_kind::broadcast;
        if (!broadcast && !is_work_queue(name.queue)) continue;
        const auto key = std::pair(name.broker, name.queue);
        queue_view& queue = found[key];
        queue.broker = name.broker;
        queue.name = name.queue;
        queue.broadcast = broadcast;
        queue.lists.push_back({list.key, name.priority, list.pushed, list.popped, list.depth});
        for (auto* const window : {&queue.last_10s, &queue.last_60s}) {
            const int seconds = window == &queue.last_10s ? 10 : 60;
            window->in_per_second += list.in.per_second(at.now_us, seconds);
            window->out_per_second += list.out.per_second(at.now_us, seconds);
            window->ack_per_second += list.ack.per_second(at.now_us, seconds);
        }
        queue.pushed_total += list.pushed;
        queue.popped_total += list.popped;
        queue.acked_total += list.acked;
        queue.redelivered_total += list.redelivered;
        queue.put_back_total += list.put_back;
        queue.foreign_total += list.foreign;
        queue.bytes_max = std::max(queue.bytes_max, list.bytes_max);
        if (list.depth) queue.ready = queue.ready.value_or(0) + *list.depth;
        queue.enqueued_known += at.times.waiting(number);
        const auto* const head = list.head_tag.empty() ? nullptr : at.times.find(list.head_tag);
        for (const auto oldest :
             {at.times.oldest_us(number), head ? std::optional(head->enqueued_us) : std::nullopt}) {
            if (oldest)
                queue.oldest_enqueued_us = std::min(queue.oldest_enqueued_us.value_or(*oldest), *oldest);
        }
        if (list.head_unknown && list.depth.value_or(1) > 0) head_unknown[key] = true;
        queue.last_pushed_us = later(queue.last_pushed_us, list.pushed_us);
        queue.last_popped_us = later(queue.last_popped_us, list.popped_us);
        queue.last_polled_us = later(queue.last_polled_us, list.polled_us);
        queue.bound |= list.bound;
    }
    std::map<std::pair<broker_id, std::string>, std::set<std::uint64_t>> processes;
    for (const auto& [id, client] : at.workers.clients()) {
        if (client.gone_us != 0 || client.poll_keys.empty()) continue;
        if (!client.waits && client.last_poll_us < at.now_us - at.limits.consumer_fresh_us) continue;
        std::set<std::string> served;
        for (const std::string& key : client.poll_keys) {
            const list_name name = at.names.list_of(client.db, key);
            const auto queue = found.find({name.broker, name.queue});
            if (queue == found.end() || !served.insert(name.queue).second) continue;
            queue->second.consumers.push_back(id);
            processes[queue->first].insert(client.process);
        }
    }
    std::vector<queue_view> all;
    for (auto& [key, queue] : found) {
        queue.consumer_processes = processes[key].size();
        if (head_unknown[key]) queue.oldest_enqueued_us.reset();
        std::sort(queue.lists.begin(), queue.lists.end(),
                  [](const list_view& a, const list_view& b) { return a.priority < b.priority; });
        std::sort(queue.consumers.begin(), queue.consumers.end());
        all.push_back(std::move(queue));
    }
    return all;
}

std::optional<queue_view> observer::queue(const broker_id& broker, std::string_view name) const {
    for (queue_view& each : queues()) {
        if (each.broker == broker && each.name == name) return std::move(each);
    }
    return std::nullopt;
}

std::vector<client_view> observer::clients() const {
    std::vector<client_view> all;
    const worker_map& workers = state_->workers;
    for (const auto& [id, client] : workers.clients()) {
        if (client.gone_us != 0) continue;
        client_view view;
        view.id = id;
        view.broker = client.broker.value_or(broker_id{client.db, {}});
        view.address = client.address;
        view.name = client.name;
        view.connected_us = client.connected_us;
        view.seen_us = client.seen_us;
        view.roles.assign(client.roles.begin(), client.roles.end());
        view.waits = client.waits;
        view.last_poll_us = when(client.last_poll_us);
        view.visibility_timeout_s = client.visibility_timeout_s;
        view.process = client.process == 0 ? id : client.process;
        std::set<std::string> queues;
        for (const std::string& key : client.poll_keys)
            queues.insert(state_->names.list_of(client.db, key).queue);
        view.queues.assign(queues.begin(), queues.end());
        if (const auto* const process = workers.process(client.process)) view.node = process->node;
        all.push_back(std::move(view));
    }
    std::sort(all.begin(), all.end(), [](const client_view& a, const client_view& b) { return a.id < b.id; });
    return all;
}

std::vector<visibility_view> observer::visibility_timeouts() const {
    std::vector<visibility_view> all;
    for (const client_view& client : clients()) {
        if (!client.visibility_timeout_s) continue;
        all.push_back({client.broker, client.id, client.address, client.node, *client.visibility_timeout_s,
                       state_->workers.find(client.id)->swept_us});
    }
    return all;
}

std::optional<double> observer::visibility_timeout_s(const broker_id& broker) const {
    std::optional<double> shortest;
    for (const auto& [id, client] : state_->workers.clients()) {
        if (client.gone_us != 0 || !client.visibility_timeout_s || client.broker != broker) continue;
        shortest = std::min(shortest.value_or(*client.visibility_timeout_s), *client.visibility_timeout_s);
    }
    return shortest;
}

std::vector<task_record> observer::tasks(std::size_t limit,
                                         const std::function<bool(const task_record&)>& matches) const {
    return state_->tasks.recent(limit, matches);
}

const task_record* observer::task(std::string_view id) const {
    return std::as_const(state_->tasks).find(id);
}

std::vector<task_type_view> observer::task_types() const {
    std::vector<task_type_view> all;
    for (const auto& [key, type] : state_->types) {
        task_type_view view;
        view.broker = type.broker;
        view.name = type.name;
        view.queue = type.queue;
        view.sent = type.sent;
        view.taken = type.taken;
        view.acked = type.acked;
        view.last_60s = {type.in.per_second(state_->now_us, 60), type.out.per_second(state_->now_us, 60),
                         type.ack.per_second(state_->now_us, 60)};
        view.wait = view_of(type.wait);
        view.bytes = type.bytes;
        view.bytes_max = type.bytes_max;
        all.push_back(std::move(view));
    }
    return all;
}

std::vector<silent_drop_view> observer::silent_drops() const {
    std::vector<silent_drop_view> all;
    for (const auto& [key, drop] : state_->drops) all.push_back(drop);
    return all;
}

const observer_counts& observer::counts() const {
    observer_counts& counts = state_->counts;
    counts.tags_refused = state_->times.refused();
    counts.unacked_refused = state_->unacked.refused();
    counts.clients_refused = state_->workers.refused();
    counts.tasks_forgotten = state_->tasks.forgotten();
    return counts;
}

std::int64_t observer::watching_since_us() const {
    return state_->since_us;
}

}  // namespace broker
