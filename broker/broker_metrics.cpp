#include "broker/broker_metrics.hpp"

#include <array>
#include <functional>
#include <map>
#include <set>

#include "broker/metric_text.hpp"
#include "broker/observer_state.hpp"

namespace broker {
namespace {

using queue_value = std::function<std::optional<double>(const queue_view&)>;

void of_queues(std::string& into, const std::vector<queue_view>& queues, std::string_view name,
               std::string_view type, std::string_view help, const queue_value& value) {
    bool headed = false;
    for (const queue_view& each : queues) {
        const auto known = value(each);
        if (!known) continue;
        if (!headed) metric_head(into, name, type, help);
        headed = true;
        const std::string db = std::to_string(each.broker.db);
        metric_line(into, name, {{"db", db}, {"prefix", each.broker.prefix}, {"queue", each.name}}, *known);
    }
}

void write_queues(std::string& into, const std::vector<queue_view>& queues, std::int64_t now_us) {
    metric_head(into, "sidecar_broker_queue_ready", "gauge",
                "Messages that wait, by priority (0 runs first)");
    for (const queue_view& each : queues) {
        const std::string db = std::to_string(each.broker.db);
        for (const list_view& list : each.lists) {
            if (!list.ready) continue;
            const std::string priority = std::to_string(list.priority);
            metric_line(
                into, "sidecar_broker_queue_ready",
                {{"db", db}, {"prefix", each.broker.prefix}, {"queue", each.name}, {"priority", priority}},
                static_cast<double>(*list.ready));
        }
    }
    of_queues(into, queues, "sidecar_broker_queue_oldest_seconds", "gauge",
              "Age of the oldest waiting message since it was published; absent when unknown",
              [&](const queue_view& queue) -> std::optional<double> {
                  if (queue.ready == 0U) return 0.0;
                  if (!queue.oldest_enqueued_us) return std::nullopt;
                  return static_cast<double>(now_us - *queue.oldest_enqueued_us) / 1e6;
              });
    const std::array<std::tuple<std::string_view, std::string_view, std::uint64_t queue_view::*>, 5> counters{
        {{"sidecar_broker_published_total", "Messages published", &queue_view::pushed_total},
         {"sidecar_broker_delivered_total", "Messages given to consumers", &queue_view::popped_total},
         {"sidecar_broker_acknowledged_total", "Messages acknowledged or rejected", &queue_view::acked_total},
         {"sidecar_broker_redelivered_total", "Deliveries after the first", &queue_view::redelivered_total},
         {"sidecar_broker_put_backs_total", "Messages saved when their consumer died",
          &queue_view::put_back_total}}};
    for (const auto& [name, help, member] : counters) {
        of_queues(into, queues, name, "counter", help,
                  [m = member](const queue_view& queue) { return static_cast<double>(queue.*m); });
    }
    of_queues(into, queues, "sidecar_broker_queue_consumers", "gauge", "Sockets that pop the queue",
              [](const queue_view& queue) { return static_cast<double>(queue.consumers.size()); });
    of_queues(into, queues, "sidecar_broker_queue_consumer_processes", "gauge",
              "Processes that pop the queue",
              [](const queue_view& queue) { return static_cast<double>(queue.consumer_processes); });
    for (const auto& [name, member] : {std::pair("sidecar_broker_in_per_second", &rates::in_per_second),
                                       std::pair("sidecar_broker_out_per_second", &rates::out_per_second),
                                       std::pair("sidecar_broker_ack_per_second", &rates::ack_per_second)}) {
        of_queues(into, queues, name, "gauge", "Mean of the last ten seconds",
                  [m = member](const queue_view& queue) { return queue.last_10s.*m; });
    }
}

void write_unacked(std::string& into, const observer& from) {
    metric_head(into, "sidecar_broker_unacked", "gauge",
                "Messages at workers by what they do; all of them under state=\"all\", as Redis says");
    for (const broker_id& broker : from.brokers()) {
        const std::string db = std::to_string(broker.db);
        const auto line = [&](std::string_view state, double value) {
            metric_line(into, "sidecar_broker_unacked",
                        {{"db", db}, {"prefix", broker.prefix}, {"state", state}}, value);
        };
        auto by_state = from.unacked_by_state(broker);
        const auto depth = from.tables().unacked_depths.find(broker);
        std::uint64_t seen = 0;
        for (const auto& [state, count] : by_state) seen += count;
        if (depth != from.tables().unacked_depths.end()) {
            line("all", static_cast<double>(depth->second));
            if (depth->second > seen) by_state[unacked_state::unknown] += depth->second - seen;
        }
        for (const unacked_state state :
             {unacked_state::unknown, unacked_state::running, unacked_state::prefetched, unacked_state::eta,
              unacked_state::overdue, unacked_state::orphan}) {
            line(to_text(state), static_cast<double>(by_state[state]));
        }
    }
}

void write_workers(std::string& into, const std::vector<worker_view>& workers) {
    metric_head(into, "sidecar_broker_worker_up", "gauge", "1: sockets open and heartbeats in time");
    for (const worker_view& each : workers) {
        if (each.node.empty()) continue;
        const std::string db = std::to_string(each.broker.db);
        metric_line(into, "sidecar_broker_worker_up",
                    {{"db", db},
                     {"prefix", each.broker.prefix},
                     {"worker", each.node},
                     {"state", to_text(each.state)}},
                    each.state == liveness::online ? 1 : 0);
    }
    metric_head(into, "sidecar_broker_worker_unacked", "gauge", "Messages that a worker holds");
    for (const worker_view& each : workers) {
        if (each.node.empty()) continue;
        const std::string db = std::to_string(each.broker.db);
        metric_line(into, "sidecar_broker_worker_unacked",
                    {{"db", db}, {"prefix", each.broker.prefix}, {"worker", each.node}},
                    static_cast<double>(each.unacked));
    }
}

void write_waits(std::string& into, const observer& from) {
    if (from.tables().types.empty()) return;
    metric_head(into, "sidecar_broker_wait_seconds", "histogram", "From publishing (or ETA) to the consumer");
    for (const auto& [key, type] : from.tables().types) {
        const std::string db = std::to_string(type.broker.db);
        metric_histogram(
            into, "sidecar_broker_wait_seconds",
            {{"db", db}, {"prefix", type.broker.prefix}, {"queue", type.queue}, {"task", type.name}},
            type.wait);
    }
}

void write_counts(std::string& into, const observer& from, std::span<const finding> findings,
                  const store_counts& store) {
    const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
        metric_head(into, name, "counter", help);
        metric_line(into, name, {}, static_cast<double>(value));
    };
    const observer_counts& counts = from.counts();
    counter("sidecar_broker_notes_total", "Notes of traffic that were read", counts.notes);
    counter("sidecar_broker_gaps_total", "Times at which notes were lost", counts.gaps);
    counter("sidecar_broker_events_total", "Celery events read", counts.events);
    counter("sidecar_broker_unreadable_total", "Messages and events that could not be read",
            counts.unreadable_messages + counts.unreadable_events);
    counter("sidecar_broker_saved_total",
            "Messages put back because their consumer died before it noted them",
            counts.put_backs + counts.reserved_backs);
    counter("sidecar_broker_orphans_total", "Messages whose worker went while it held them",
            counts.orphans_seen);
    counter("sidecar_broker_silent_drops_total", "Publications that no binding matched", counts.silent_drops);
    counter("sidecar_broker_forgotten_total",
            "Messages, lists, clients and tasks for which tables were too small",
            counts.tags_refused + counts.unacked_refused + counts.lists_refused + counts.clients_refused);
    counter("sidecar_broker_store_failures_total",
            "Commands that keep the observer's memory in Redis and failed", store.failures);
    if (!counts.withheld.empty()) {
        metric_head(into, "sidecar_broker_withheld_total", "counter",
                    "Messages that a rule kept from consumers");
        for (const auto& [rule, count] : counts.withheld) {
            metric_line(into, "sidecar_broker_withheld_total", {{"rule", rule}}, static_cast<double>(count));
        }
    }
    metric_head(into, "sidecar_broker_orphans", "gauge", "Messages held by workers that are gone");
    metric_line(into, "sidecar_broker_orphans", {}, static_cast<double>(from.orphans().size()));
    std::map<std::pair<std::string, std::string>, int> found;
    for (const finding& each : findings) ++found[{each.id, std::string(to_text(each.level))}];
    metric_head(into, "sidecar_broker_findings", "gauge", "What the doctor finds now, by kind");
    for (const auto& [key, count] : found) {
        metric_line(into, "sidecar_broker_findings", {{"finding", key.first}, {"severity", key.second}},
                    count);
    }
}

// celery-exporter knows a worker by its host, and a queue by its name alone.
void write_celery_gauges(std::string& into, const observer& from, const std::vector<queue_view>& queues,
                         const std::vector<worker_view>& workers) {
    std::map<std::string, std::pair<bool, std::int64_t>> hosts;
    std::map<std::string, std::int64_t> processes;
    for (const worker_view& each : workers) {
        if (each.node.empty()) continue;
        auto& [up, active] = hosts[std::string(hostname_of(each.node))];
        const bool online = each.state == liveness::online;
        up |= online;
        if (online) active += each.active.value_or(0);
        const auto stats = from.tables().stats.find({each.broker, each.node});
        if (!online || stats == from.tables().stats.end()) continue;
        for (const std::string& queue : each.queues) processes[queue] += stats->second.concurrency;
    }
    if (!hosts.empty()) {
        metric_head(into, "celery_worker_up", "gauge",
                    "Whether a worker of the host has lately sent a heartbeat");
        for (const auto& [host, of] : hosts)
            metric_line(into, "celery_worker_up", {{"hostname", host}}, of.first ? 1 : 0);
        metric_head(into, "celery_worker_tasks_active", "gauge", "Tasks that the host's workers run");
        for (const auto& [host, of] : hosts) {
            metric_line(into, "celery_worker_tasks_active", {{"hostname", host}},
                        static_cast<double>(of.second));
        }
    }
    std::map<std::string, std::array<double, 3>> by_name;
    for (const queue_view& each : queues) {
        auto& values = by_name[each.name];
        values[0] += static_cast<double>(each.ready.value_or(0));
        values[1] += static_cast<double>(each.consumers.size());
        values[2] += static_cast<double>(each.consumer_processes);
    }
    if (by_name.empty()) return;
    const std::array<std::pair<std::string_view, std::string_view>, 3> names{
        {{"celery_queue_length", "Messages that wait, all priorities"},
         {"celery_active_consumer_count", "Sockets that pop the queue"},
         {"celery_active_worker_count", "Workers that consume the queue"}}};
    for (std::size_t i = 0; i < names.size(); ++i) {
        metric_head(into, names[i].first, "gauge", names[i].second);
        for (const auto& [name, values] : by_name)
            metric_line(into, names[i].first, {{"queue_name", name}}, values[i]);
    }
    if (processes.empty()) return;
    metric_head(into, "celery_active_process_count", "gauge",
                "Pool processes of the workers that consume the queue");
    for (const auto& [name, count] : processes) {
        metric_line(into, "celery_active_process_count", {{"queue_name", name}}, static_cast<double>(count));
    }
}

}  // namespace

std::string broker_metrics_text(const observer& from, std::span<const finding> findings,
                                const store_counts& store, std::int64_t now_us) {
    std::string text;
    const auto queues = from.queues();
    const auto workers = from.workers();
    write_queues(text, queues, now_us);
    write_unacked(text, from);
    write_workers(text, workers);
    write_waits(text, from);
    write_counts(text, from, findings, store);
    write_celery_gauges(text, from, queues, workers);
    from.tables().celery.write(text);
    return text;
}

}  // namespace broker
