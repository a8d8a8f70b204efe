// Messages on their way: pushed, popped, noted, settled. Each note is taken for what it says itself; where
// the order between shards may turn, both orders are provided for.

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "broker/glance.hpp"
#include "broker/iso_time.hpp"
#include "broker/observer_state.hpp"

namespace broker {
namespace {

constexpr std::size_t redelivered_max = 100'000;
constexpr std::size_t early_max = 100'000;
constexpr std::size_t asked_max = 10'000;
constexpr std::size_t settling_max = 10'000;
// A pop that is told after its tag was noted belongs to that note, when it is no older than this.
constexpr std::int64_t late_pop_us = 5'000'000;

std::string cut(std::string text) {
    if (text.size() > task_text_bytes_max) text.resize(task_text_bytes_max);
    return text;
}

void describe(task_record& record, const message_head& head, std::string_view queue) {
    if (!head.task.empty()) record.name = head.task;
    record.tag = head.tag;
    if (!queue.empty()) record.queue = queue;
    record.root_id = head.root_id;
    record.parent_id = head.parent_id;
    record.eta = head.eta;
    record.expires = head.expires;
    if (record.args.empty()) record.args = cut(head.argsrepr);
    if (record.kwargs.empty()) record.kwargs = cut(head.kwargsrepr);
    record.retries =
        std::max(record.retries, static_cast<std::uint64_t>(std::max<std::int64_t>(head.retries, 0)));
}

}  // namespace

bool observer::state::takes_back(std::uint64_t client, std::string_view tag) {
    const auto found = settling_by_client.find(client);
    if (found == settling_by_client.end()) return false;
    auto& tags = found->second;
    const auto same =
        std::find_if(tags.begin(), tags.end(), [&](const auto& each) { return each.tag == tag; });
    if (same == tags.end()) return false;
    unacked.settle(tag, same->at_us);
    tags.erase(same);
    return true;
}

void observer::state::on_pushed(const wire_note& note, client_record& by) {
    if (note.key.starts_with(own_prefix)) return;
    const key_kind kind =
        classify_key(note.key.substr(names.broker_of(note.db, note.key).prefix.size())).kind;
    if (kind == key_kind::pidbox_reply || kind == key_kind::rpc_reply) {
        if (replies.size() >= 2'000) return;
        reply_list& list = replies[{note.db, std::string(note.key)}];
        ++list.pushed;
        list.last_us = note.at_us;
        return;
    }
    const auto seen = glance(note.text, note.size);
    const std::string_view exchange = seen ? std::string_view(seen->head.exchange) : std::string_view();
    const auto route = std::find_if(routes.begin(), routes.end(), [&](const pending_route& each) {
        // A restore looks the binding up on one socket and pushes on another.
        if (seen) return each.exchange == exchange && each.host == host_of(by.address);
        return each.client == by.id;
    });
    if (route != routes.end()) routes.erase(route);
    const bool returned = seen && takes_back(by.id, seen->head.tag);
    settle_all(by.id);
    const auto number = list_at(note.db, note.key);
    if (!number) return;
    list_record& list = lists[*number];
    by.roles.insert(client_role::publisher);
    by.broker = name_of(list).broker;
    ++list.pushed;
    list.in.add(note.at_us);
    list.pushed_us = note.at_us;
    list.bytes_max = std::max(list.bytes_max, note.size);
    if (!seen) {
        ++list.foreign;
        ++counts.unreadable_messages;
        return;
    }
    const message_head& head = seen->head;
    if (returned) {
        times.waits(head.tag, *number, note.at_us);
        return;
    }
    const list_name& name = name_of(list);
    const auto early = early_pops.find(key_of(head.tag));
    const bool already_taken = early != early_pops.end() && early->second >= note.at_us;
    if (!already_taken) times.waits(head.tag, *number, note.at_us);
    if (!head.task.empty()) {
        task_type_record& type = type_of(name.broker, head.task, name.queue);
        ++type.sent;
        type.in.add(note.at_us);
        type.bytes += note.size;
        type.bytes_max = std::max(type.bytes_max, note.size);
        if (already_taken) type.wait.add(static_cast<double>(early->second - note.at_us) / 1e6);
    }
    if (head.id.empty()) return;
    task_record& task = tasks.touch(name.broker, head.id, note.at_us);
    const bool retry = static_cast<std::uint64_t>(std::max<std::int64_t>(head.retries, 0)) > task.retries;
    if (!already_taken && (task.state == task_state::unknown || retry)) {
        task.state = retry ? task_state::retry : task_state::sent;
    }
    describe(task, head, name.queue);
    if (!task.sent_us || retry) task.sent_us = note.at_us;
    if (head.task.empty()) return;
    celery.sent(task, head.origin);
    if (already_taken) celery.waited(task, static_cast<double>(early->second - note.at_us) / 1e6);
}

void observer::state::on_popped(const wire_note& note, client_record& by) {
    by.waits = false;
    by.last_poll_us = note.at_us;
    const key_kind kind =
        classify_key(note.key.substr(names.broker_of(note.db, note.key).prefix.size())).kind;
    if (kind == key_kind::pidbox_reply || kind == key_kind::rpc_reply) {
        const auto list = replies.find({note.db, std::string(note.key)});
        if (list != replies.end()) ++list->second.popped;
        return;
    }
    const auto number = list_at(note.db, note.key);
    if (!number) return;
    list_record& list = lists[*number];
    const list_name& name = name_of(list);
    ++list.popped;
    list.out.add(note.at_us);
    list.popped_us = list.polled_us = note.at_us;
    by.roles.insert(client_role::consumer);
    by.broker = name.broker;
    process_record& process = workers.process_of(by);
    process.consumes = true;
    process.broker = name.broker;
    process.last_poll_us = note.at_us;
    const auto seen = glance(note.text, note.size);
    if (!seen) {
        ++counts.unreadable_messages;
        return;
    }
    const message_head& head = seen->head;
    const tag_key key = key_of(head.tag);
    const auto* const known = times.find(head.tag);
    const bool first = !head.redelivered && !redelivered.contains(key);
    std::optional<double> wait_s;
    if (known != nullptr && first) {
        // A task waits from when it may run.
        const std::int64_t from = std::max(known->enqueued_us, parse_iso_time_us(head.eta).value_or(0));
        wait_s = static_cast<double>(note.at_us - from) / 1e6;
    } else if (known == nullptr) {
        if (asked_tags.size() < asked_max) asked_tags.push_back(head.tag);
        if (early_order.size() < early_max) {
            early_pops[key] = note.at_us;
            early_order.emplace_back(note.at_us, key);
        }
    }
    times.taken(head.tag);
    // Whoever stood behind it may have come before we watched.
    if (list.head_tag == head.tag) {
        list.head_tag.clear();
        list.head_unknown = list.depth.value_or(0) > times.waiting(*number) + 1;
    }

    held_message* const held = unacked.open(head.tag, note.at_us);
    if (held != nullptr) {
        const bool late =
            held->popped_by == 0 && held->noted_by != 0 && note.at_us - held->noted_us < late_pop_us;
        if (!late) held->noted_by = 0;
        held->popped_by = by.id;
        held->db = note.db;
        held->list = *number;
        held->taken_us = note.at_us;
        held->id = head.id;
        held->task = head.task;
        held->eta_us = parse_iso_time_us(head.eta).value_or(0);
        held->orphan_counted = false;
        if (late) workers.tie_clients(held->noted_by, by.id);
    }
    if (head.redelivered && (redelivered.size() < redelivered_max || redelivered.contains(key))) {
        redelivery_record& again = redelivered[key];
        again.tag = head.tag;
        ++again.count;
        ++again.untold;
    }
    if (head.redelivered) {
        ++list.redelivered;
        ++counts.redeliveries;
    }
    if (!head.task.empty()) {
        task_type_record& type = type_of(name.broker, head.task, name.queue);
        ++type.taken;
        type.out.add(note.at_us);
        if (wait_s) type.wait.add(*wait_s);
    }
    if (head.id.empty()) return;
    task_record& task = tasks.touch(name.broker, head.id, note.at_us);
    if (task.state <= task_state::sent || task.state == task_state::retry) task.state = task_state::taken;
    describe(task, head, name.queue);
    task.taken_us = note.at_us;
    ++task.deliveries;
    // Tying clients may have made one process of two.
    if (task.worker.empty()) task.worker = workers.process_of(by).node;
    if (wait_s) celery.waited(task, *wait_s);
}

void observer::state::on_noted(const wire_note& note, client_record& by) {
    by.roles.insert(client_role::acks);
    workers.process_of(by).consumes = true;
    held_message* const held = unacked.open(note.text, note.at_us);
    if (held == nullptr) return;
    held->noted_by = by.id;
    held->noted_us = note.at_us;
    held->hash = note.key;
    held->db = note.db;
    if (held->popped_by != 0) workers.tie_clients(held->popped_by, by.id);
    broker_id broker = names.broker_of(note.db, note.key);
    if (!held->list) {
        // Its pop is yet to be told, or was another sidecar's.
        if (const auto seen = glance(note.extra, note.size)) {
            held->id = seen->head.id;
            held->task = seen->head.task;
            held->eta_us = parse_iso_time_us(seen->head.eta).value_or(0);
            const naming style = names.namings(broker).front();
            const int step = priority_step(seen->head.priority, style);
            held->list = list_at(note.db, list_key(seen->head.routing_key, step, style));
        }
    }
    if (broker.prefix.empty() && held->list) broker = name_of(lists[*held->list]).broker;
    by.broker = broker;
    names.set_unacked_key(broker, note.key);
}

void observer::state::on_settled(const wire_note& note, client_record& by) {
    by.roles.insert(client_role::acks);
    // A transaction that was sent again after a lost connection is told once more.
    auto& tags = settling_by_client[by.id];
    const bool told =
        std::any_of(tags.begin(), tags.end(), [&](const auto& each) { return each.tag == note.text; });
    if (told) return;
    if (tags.size() >= settling_max) settle_all(by.id);
    settling_by_client[by.id].push_back({std::string(note.text), note.at_us});
}

void observer::state::settle_all(std::uint64_t client) {
    const auto found = settling_by_client.find(client);
    if (found == settling_by_client.end()) return;
    const std::vector<settling> tags = std::move(found->second);
    settling_by_client.erase(found);
    for (const settling& each : tags) acknowledged(each.tag, each.at_us);
}

void observer::state::acknowledged(const std::string& tag, std::int64_t at_us) {
    if (const held_message* const held = unacked.find(tag)) {
        if (held->list) {
            list_record& list = lists[*held->list];
            ++list.acked;
            list.ack.add(at_us);
            const list_name& name = name_of(list);
            if (!held->task.empty()) {
                task_type_record& type = type_of(name.broker, held->task, name.queue);
                ++type.acked;
                type.ack.add(at_us);
                // Its pop is told later, when its enqueue time is forgotten: the note came right behind it.
                const auto* const known = held->popped_by == 0 ? times.find(tag) : nullptr;
                if (known != nullptr && held->eta_us == 0) {
                    const double wait_s = static_cast<double>(held->noted_us - known->enqueued_us) / 1e6;
                    type.wait.add(wait_s);
                    if (const task_record* const task = tasks.find(held->id)) celery.waited(*task, wait_s);
                }
            }
        }
    }
    unacked.settle(tag, at_us);
    times.forget(tag);
    if (const auto again = redelivered.find(key_of(tag)); again != redelivered.end()) {
        redelivered_done.push_back(tag);
        redelivered.erase(again);
    }
}

void observer::state::on_put_back(const wire_note& note) {
    ++(note.kind == wire_kind::put_back ? counts.put_backs : counts.reserved_backs);
    workers.saved(note.client);
    const auto number = list_at(note.db, note.key);
    if (!number) return;
    ++lists[*number].put_back;
    const auto seen = glance(note.text, note.size);
    const std::string_view tag = seen ? std::string_view(seen->head.tag) : note.text;
    unacked.erase(tag);
    times.waits(tag, *number, note.at_us);
}

void observer::state::on_withheld(const wire_note& note) {
    ++counts.withheld[std::string(note.extra.substr(0, 40))];
    const auto seen = glance(note.text, note.size);
    if (!seen) return;
    times.taken(seen->head.tag);
    if (note.extra == "revoked" || note.extra == "deleted") times.forget(seen->head.tag);
    if (note.extra == "revoked" && !seen->head.id.empty()) revoked_at_delivery(note, seen->head);
}

// No worker will tell of it.
void observer::state::revoked_at_delivery(const wire_note& note, const message_head& head) {
    const broker_id broker = names.broker_of(note.db, note.key);
    task_record& task = tasks.touch(broker, head.id, note.at_us);
    const auto number = list_at(note.db, note.key);
    describe(task, head, number ? std::string_view(name_of(lists[*number]).queue) : std::string_view());
    task.state = task_state::revoked;
    task.finished_us = note.at_us;
    celery.count("task-revoked", task);
    if (!sink) return;
    const boost::json::object told{{"type", "task-revoked"},
                                   {"uuid", head.id},
                                   {"name", head.task},
                                   {"terminated", false},
                                   {"expired", false},
                                   {"hostname", "sidecar"},
                                   {"timestamp", static_cast<double>(note.at_us) / 1e6}};
    sink(broker, "task-revoked", boost::json::serialize(told));
}

void observer::state::on_deleted(const wire_note& note) {
    const auto found = list_numbers.find(std::pair(note.db, std::string(note.key)));
    if (found != list_numbers.end()) {
        times.trim(found->second, 0);
        lists[found->second].head_unknown = false;
    }
    replies.erase({note.db, std::string(note.key)});
}

}  // namespace broker
