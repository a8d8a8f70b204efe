// Findings about queues: what nobody pops, what is no message, what is too large.

#include <algorithm>
#include <boost/json/array.hpp>
#include <cmath>
#include <set>

#include "broker/findings.hpp"
#include "broker/observer_state.hpp"

namespace broker {
namespace {

namespace json = boost::json;

constexpr std::int64_t unpopped_us = 60'000'000;
constexpr std::uint64_t huge_bytes = 1 << 20;

double seconds_since(std::int64_t now_us, std::optional<std::int64_t> then_us) {
    return std::round(static_cast<double>(now_us - then_us.value_or(now_us)) / 1e6);
}

void nobody_pops(const queue_view& queue, std::int64_t now_us, std::vector<finding>& into) {
    finding found{"unpopped-list", severity::critical, queue.broker, queue.name, {}, {}, {}};
    found.title = queue.broadcast ? "Messages of a broadcast lie in a list that no worker ever reads"
                                  : "Messages lie in a queue that no worker consumes";
    found.remedy = queue.broadcast ? "Declare the Broadcast queue (task_queues) in the producer too, so that "
                                     "it publishes instead of "
                                     "pushing; delete the list."
                                   : "Start a worker with -Q " + queue.name +
                                         ", correct the queue's name in the producer (a typo?), "
                                         "or move or delete the messages.";
    found.evidence = {{"ready", *queue.ready}, {"published", queue.pushed_total}};
    if (queue.last_pushed_us)
        found.evidence["last_published_seconds_ago"] = seconds_since(now_us, queue.last_pushed_us);
    if (queue.last_polled_us)
        found.evidence["last_polled_seconds_ago"] = seconds_since(now_us, queue.last_polled_us);
    into.push_back(std::move(found));
}

// Lists of one priority that the queue's consumers do not ask for.
void step_not_popped(const observer& from, const queue_view& queue, std::vector<finding>& into) {
    std::set<std::string> asked;
    for (const std::uint64_t id : queue.consumers) {
        if (const client_record* const client = from.tables().workers.find(id)) {
            asked.insert(client->poll_keys.begin(), client->poll_keys.end());
        }
    }
    for (const list_view& list : queue.lists) {
        if (list.ready.value_or(0) == 0 || asked.contains(list.key)) continue;
        finding found{"unpopped-priority", severity::critical, queue.broker, queue.name, {}, {}, {}};
        found.title = "Messages of one priority lie in a list that the queue's workers do not ask for";
        found.remedy =
            "Use the same priority_steps and sep (broker_transport_options) in producers and workers.";
        found.evidence = {{"priority", list.priority}, {"ready", *list.ready}, {"key", list.key}};
        into.push_back(std::move(found));
    }
}

}  // namespace

void find_in_queues(const observer& from, std::uint8_t db, std::int64_t now_us, std::vector<finding>& into) {
    const bool long_enough = now_us - from.watching_since_us() > unpopped_us;
    for (const queue_view& queue : from.queues()) {
        if (queue.broker.db != db) continue;
        const bool polled = queue.last_polled_us && now_us - *queue.last_polled_us < unpopped_us;
        const bool fresh =
            queue.last_pushed_us && now_us - *queue.last_pushed_us < 5'000'000 && !queue.broadcast;
        if (queue.ready.value_or(0) > 0 && !polled && queue.consumers.empty() && !fresh &&
            (long_enough || queue.broadcast)) {
            nobody_pops(queue, now_us, into);
        }
        if (!queue.consumers.empty()) step_not_popped(from, queue, into);
        if (queue.foreign_total > 0 && queue.pushed_total > queue.foreign_total) {
            finding found{"undecodable-messages", severity::critical, queue.broker, queue.name, {}, {}, {}};
            found.title =
                "Elements that are no kombu messages were pushed into a Celery queue: a worker that pops one "
                "loses it and may stop";
            found.remedy = "Find the producer; run with --broker-dead-undecodable to keep them from workers.";
            found.evidence = {{"elements", queue.foreign_total}};
            into.push_back(std::move(found));
        }
        if (queue.bytes_max > huge_bytes) {
            finding found{"huge-messages", severity::warning, queue.broker, queue.name, {}, {}, {}};
            found.title =
                "Messages of more than a megabyte: each is copied into unacked and read again by every sweep";
            found.remedy =
                "Store the data elsewhere (object storage, the database) and send its key; or compress "
                "(task_compression).";
            found.evidence = {{"largest_bytes", queue.bytes_max}};
            json::array tasks;
            for (const task_type_view& type : from.task_types()) {
                if (type.broker != queue.broker || type.queue != queue.name || type.bytes_max <= huge_bytes)
                    continue;
                tasks.push_back(json::object{{"task", type.name}, {"largest_bytes", type.bytes_max}});
            }
            found.evidence["tasks"] = std::move(tasks);
            into.push_back(std::move(found));
        }
    }
}

}  // namespace broker
