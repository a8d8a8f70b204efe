// Everything about the sockets themselves: what they pop, sweep, bind, publish and listen to.

#include <algorithm>
#include <cmath>
#include <utility>

#include "broker/observer_state.hpp"

namespace broker {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

constexpr std::string_view mailbox_ending = ".celery.pidbox";
constexpr std::string_view replies_ending = ".reply.celery.pidbox";

// "w1@host.celery.pidbox" → "w1@host".
std::string_view node_of_mailbox(std::string_view queue) {
    if (!queue.ends_with(mailbox_ending) || queue.ends_with(replies_ending)) return {};
    return queue.substr(0, queue.size() - mailbox_ending.size());
}

}  // namespace

std::optional<list_number> observer::state::list_at(std::uint8_t db, std::string_view key) {
    auto at = std::pair(db, std::string(key));
    if (const auto found = list_numbers.find(at); found != list_numbers.end()) return found->second;
    if (lists.size() >= limits.lists_max) {
        ++counts.lists_refused;
        return std::nullopt;
    }
    const auto number = static_cast<list_number>(lists.size());
    list_record& list = lists.emplace_back();
    list.db = db;
    list.key = key;
    list.name = names.list_of(db, key);
    list.name_generation = names.generation();
    list_numbers.emplace(std::move(at), number);
    return number;
}

const list_name& observer::state::name_of(list_record& list) const {
    if (list.name_generation != names.generation()) {
        list.name = names.list_of(list.db, list.key);
        list.name_generation = names.generation();
    }
    return list.name;
}

task_type_record& observer::state::type_of(const broker_id& broker, std::string_view task,
                                           std::string_view queue) {
    std::tuple key(broker, std::string(task), std::string(queue));
    if (types.size() >= limits.task_names_max && !types.contains(key)) std::get<1>(key) = "other";
    if (types.size() >= 2 * limits.task_names_max && !types.contains(key)) std::get<2>(key) = "other";
    const auto [found, fresh] = types.try_emplace(std::move(key));
    if (fresh) {
        found->second.broker = broker;
        found->second.name = std::get<1>(found->first);
        found->second.queue = std::get<2>(found->first);
    }
    return found->second;
}

void observer::state::on_waits(const wire_note& note, client_record& by) {
    const std::vector<std::string_view> keys = lines_of(note.text);
    by.waits = true;
    by.last_poll_us = note.at_us;
    if (keys.empty()) return;
    const broker_id broker = names.broker_of(note.db, keys.front());
    const key_kind kind = classify_key(keys.front().substr(broker.prefix.size())).kind;
    if (kind == key_kind::pidbox_reply || kind == key_kind::rpc_reply) return;
    names.saw_pop(note.db, keys);
    by.broker = broker;
    by.roles.insert(client_role::consumer);
    process_record& process = workers.process_of(by);
    process.consumes = true;
    process.broker = broker;
    process.last_poll_us = note.at_us;
    if (!std::equal(by.poll_keys.begin(), by.poll_keys.end(), keys.begin(), keys.end())) {
        by.poll_keys.assign(keys.begin(), keys.end());
    }
    for (const std::string_view key : keys) {
        if (const auto number = list_at(note.db, key)) lists[*number].polled_us = note.at_us;
    }
}

void observer::state::on_swept(const wire_note& note, client_record& by) {
    double ceiling = 0;
    try {
        ceiling = std::stod(std::string(note.text.substr(0, 40)));
    } catch (const std::exception&) {
        return;  // "+inf", "(5": not kombu's
    }
    const double timeout_s = static_cast<double>(note.at_us) / 1e6 - ceiling;
    if (!(timeout_s > -60 && timeout_s < 1e9)) return;
    by.visibility_timeout_s = std::max(0.0, std::round(timeout_s * 1000) / 1000);
    by.swept_us = note.at_us;
    by.roles.insert(client_role::acks);
    const broker_id named = names.broker_of(note.db, note.key);
    if (!named.prefix.empty() || !by.broker) by.broker = named;
    names.set_index_key(*by.broker, note.key);
}

void observer::state::on_routed(const wire_note& note, client_record& by) {
    names.saw_binding(note.db, note.key);
    const broker_id broker = names.broker_of(note.db, note.key);
    by.broker = broker;
    const std::string_view exchange = classify_key(note.key).name;
    // A reply nobody waits for any more is dropped rightly.
    if (exchange == pidbox_reply_exchange || routes.size() >= 10'000) return;
    routes.push_back({note.db, by.id, std::string(host_of(by.address)), by.address, std::string(exchange),
                      broker, note.at_us});
}

void observer::state::on_bound(const wire_note& note, client_record& by) {
    names.saw_binding(note.db, note.key);
    const broker_id broker = names.broker_of(note.db, note.key);
    by.broker = broker;
    const auto bound = parse_binding(note.text);
    if (!bound) return;
    const bool now = note.kind == wire_kind::bound;
    if (const std::string_view node = node_of_mailbox(bound->queue); !node.empty()) {
        by.roles.insert(client_role::control);
        if (now) {
            workers.tie_node(by, broker, node);
        } else {
            workers.node_left(broker, node, note.at_us);
        }
        return;
    }
    if (!is_work_queue(bound->queue)) return;
    if (const auto number = list_at(note.db, broker.prefix + std::string(bound->queue)))
        lists[*number].bound = now;
}

void observer::state::on_listens(const wire_note& note, client_record& by) {
    const auto channel = parse_fanout(note.key);
    if (!channel) names.saw_result(note.db, note.key);
    if (!channel || channel->db != note.db) return;
    names.saw_channel(note.db, note.key);
    if (channel->exchange == pidbox_exchange) by.roles.insert(client_role::control);
    if (channel->exchange == event_exchange) by.roles.insert(client_role::events);
    by.broker = broker_id{note.db, std::string(channel->prefix)};
}

void observer::state::on_published(const wire_note& note, client_record& by) {
    const auto channel = parse_fanout(note.key);
    if (!channel) names.saw_result(note.db, note.key);
    if (!channel || channel->db != note.db) return;
    names.saw_channel(note.db, note.key);
    const broker_id broker{note.db, std::string(channel->prefix)};
    by.broker = broker;
    if (channel->exchange == pidbox_exchange) by.roles.insert(client_role::control);
    if (channel->exchange != event_exchange) return;
    by.roles.insert(client_role::events);
    on_events(broker, note, by);
}

}  // namespace broker
