#include "broker/findings.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "broker/observer_state.hpp"

namespace broker {
namespace {

namespace json = boost::json;

constexpr std::size_t examples_max = 20;
constexpr double timeouts_differ_s = 2;
constexpr double skew_s = 2;
constexpr std::int64_t catatonic_us = 30'000'000;
constexpr std::uint64_t loop_deliveries = 5;

using ready_counts = std::map<std::pair<broker_id, std::string>, std::uint64_t>;

json::string text(std::string_view of) {
    return json::string(of.data(), of.size());
}

std::string whose(const visibility_view& of) {
    return of.node.empty() ? of.address : of.node;
}

void timeouts_differ(const observer& from, std::uint8_t db, std::vector<finding>& into) {
    std::map<broker_id, std::vector<visibility_view>> by_broker;
    for (visibility_view& each : from.visibility_timeouts()) {
        if (each.broker.db == db) by_broker[each.broker].push_back(std::move(each));
    }
    for (auto& [broker, views] : by_broker) {
        std::sort(views.begin(), views.end(),
                  [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
        if (views.back().seconds - views.front().seconds < timeouts_differ_s) continue;
        finding found{
            "visibility-timeouts-differ", severity::warning, broker, whose(views.front()), {}, {}, {}};
        found.title = "Clients of one broker use different visibility timeouts; the shortest counts for all";
        found.remedy =
            "Set the same broker_transport_options = {'visibility_timeout': …} everywhere, also in Flower, "
            "scripts "
            "and shells that only inspect: a client without the setting restores after 3600 s.";
        json::array clients;
        for (const visibility_view& each : views) {
            if (clients.size() >= examples_max) break;
            clients.push_back(json::object{
                {"client", each.client}, {"who", text(whose(each))}, {"seconds", std::round(each.seconds)}});
        }
        found.evidence = {{"shortest_seconds", std::round(views.front().seconds)},
                          {"longest_seconds", std::round(views.back().seconds)},
                          {"clients", std::move(clients)}};
        into.push_back(std::move(found));
    }
}

void waits_beyond_timeout(const observer& from, std::uint8_t db, std::int64_t now_us,
                          std::vector<finding>& into) {
    struct late {
        std::uint64_t count = 0;
        double longest_s = 0;
        json::array examples;
    };
    std::map<broker_id, late> by_broker;
    std::map<broker_id, std::optional<double>> timeouts;
    from.tables().unacked.for_each([&](const held_message& held) {
        if (held.eta_us <= now_us || held.noted_by == 0 || held.db != db) return;
        const broker_id broker = from.tables().broker_of(held);
        const auto [known, fresh] = timeouts.try_emplace(broker);
        if (fresh) known->second = from.visibility_timeout_s(broker);
        const auto& timeout_s = known->second;
        const double wait_s = static_cast<double>(held.eta_us - held.taken_us) / 1e6;
        if (!timeout_s || wait_s <= *timeout_s) return;
        late& of = by_broker[broker];
        ++of.count;
        of.longest_s = std::max(of.longest_s, wait_s);
        if (of.examples.size() < examples_max) {
            of.examples.push_back(json::object{
                {"tag", text(held.tag)}, {"task", text(held.task)}, {"wait_seconds", std::round(wait_s)}});
        }
    });
    for (auto& [broker, of] : by_broker) {
        finding found{"eta-beyond-visibility-timeout", severity::critical, broker, {}, {}, {}, {}};
        found.title =
            "Tasks wait for an ETA longer than the visibility timeout: they will be delivered again and run "
            "twice";
        found.remedy =
            "Raise visibility_timeout above the longest countdown or ETA in every client, or keep long "
            "delays in a "
            "database and send the task when it is due.";
        found.evidence = {{"messages", of.count},
                          {"longest_wait_seconds", std::round(of.longest_s)},
                          {"visibility_timeout_seconds", std::round(*from.visibility_timeout_s(broker))},
                          {"examples", std::move(of.examples)}};
        into.push_back(std::move(found));
    }
}

// Heartbeats tell that its loop runs; that it asks for nothing although it has nothing to do is the illness.
void catatonic(const observer& from, const worker_view& worker, const ready_counts& waiting,
               std::int64_t now_us, std::vector<finding>& into) {
    if (worker.state != liveness::online || worker.node.empty() || !worker.last_heartbeat_us) return;
    if (worker.queues.empty() || worker.active.value_or(0) > 0 || worker.unacked > 0) return;
    const std::int64_t since = std::max(worker.last_poll_us.value_or(0), worker.started_us.value_or(0));
    if (now_us - since < catatonic_us || now_us - from.watching_since_us() < catatonic_us) return;
    std::uint64_t ready = 0;
    for (const std::string& name : worker.queues) {
        if (const auto found = waiting.find({worker.broker, name}); found != waiting.end())
            ready += found->second;
    }
    finding found{"catatonic-worker",
                  ready > 0 ? severity::critical : severity::warning,
                  worker.broker,
                  worker.node,
                  {},
                  {},
                  {}};
    found.title = "A worker sends heartbeats and holds nothing, but has stopped asking for messages";
    found.remedy =
        "Close its sockets (kick): it reconnects and consumes again. Updating kombu and redis-py helps.";
    found.evidence = {{"last_poll_seconds_ago", std::round(static_cast<double>(now_us - since) / 1e6)},
                      {"ready_in_its_queues", ready},
                      {"address", text(worker.address)}};
    into.push_back(std::move(found));
}

void about_worker(const observer& from, const worker_view& worker, const ready_counts& waiting,
                  std::int64_t now_us, std::vector<finding>& into) {
    catatonic(from, worker, waiting, now_us, into);
    if (worker.clock_skew_s && worker.state == liveness::online && std::abs(*worker.clock_skew_s) > skew_s) {
        finding found{"clock-skew", severity::warning, worker.broker, worker.node, {}, {}, {}};
        found.title =
            "A worker's clock differs: its messages are redelivered too early or too late, ETAs shift";
        found.remedy = "Synchronise the host's clock (chrony, systemd-timesyncd).";
        found.evidence = {{"skew_seconds", std::round(*worker.clock_skew_s * 10) / 10}};
        into.push_back(std::move(found));
    }
    if (worker.state == liveness::silent) {
        finding found{"silent-worker", severity::critical, worker.broker, worker.node, {}, {}, {}};
        found.title = "A worker's sockets are open, but its heartbeats have stopped";
        found.remedy =
            "Its main loop is blocked, or the host is frozen: look at the process; kick or restart it.";
        found.evidence = {{"last_heartbeat_seconds_ago",
                           std::round(static_cast<double>(now_us - *worker.last_heartbeat_us) / 1e6)},
                          {"unacked", worker.unacked}};
        into.push_back(std::move(found));
    }
    const auto stats = from.tables().stats.find({worker.broker, worker.node});
    if (stats == from.tables().stats.end() || stats->second.concurrency <= 0) return;
    const auto& [concurrency, prefetch] = stats->second;
    if (prefetch <= 20 * concurrency && prefetch <= 8 * concurrency + 50) return;
    finding found{"prefetch-drift", severity::warning, worker.broker, worker.node, {}, {}, {}};
    found.title = "A worker takes far more messages than it can run: others starve, queues look empty";
    found.remedy =
        "Tasks with an ETA raise the prefetch count while they wait. Restart the worker, keep ETA tasks in a "
        "queue of "
        "their own, or use worker_prefetch_multiplier = 1 (Celery 5.6: --disable-prefetch).";
    found.evidence = {
        {"prefetch_count", prefetch}, {"concurrency", concurrency}, {"unacked", worker.unacked}};
    into.push_back(std::move(found));
}

void mixed_versions(const std::vector<worker_view>& workers, std::uint8_t db, std::vector<finding>& into) {
    std::map<broker_id, std::map<std::string, std::string>> by_broker;
    for (const worker_view& each : workers) {
        if (each.broker.db != db || each.state != liveness::online || each.software.empty()) continue;
        by_broker[each.broker].try_emplace(each.software, each.node);
    }
    for (const auto& [broker, versions] : by_broker) {
        if (versions.size() < 2) continue;
        finding found{"mixed-versions", severity::info, broker, {}, {}, {}, {}};
        found.title = "Workers of one broker run different releases";
        found.remedy = "Finish the roll-out; releases differ in what they restore, acknowledge and report.";
        for (const auto& [version, node] : versions) found.evidence[version] = text(node);
        into.push_back(std::move(found));
    }
}

void orphans_and_loops(const observer& from, std::uint8_t db, std::int64_t now_us,
                       std::vector<finding>& into) {
    std::map<broker_id, std::vector<orphan_view>> by_broker;
    for (orphan_view& each : from.orphans()) {
        if (each.broker.db == db) by_broker[each.broker].push_back(std::move(each));
    }
    for (const auto& [broker, all] : by_broker) {
        finding found{"orphans", severity::warning, broker, {}, {}, {}, {}};
        found.title = "Messages are held by workers that are gone; they wait for the visibility timeout";
        found.remedy = "Restore them now, or run with --broker-orphans restore to have it done at once.";
        json::array examples;
        for (const orphan_view& each : all) {
            if (examples.size() >= examples_max) break;
            examples.push_back(
                json::object{{"tag", text(each.tag)},
                             {"task", text(each.task)},
                             {"queue", text(each.queue)},
                             {"worker", text(each.node)},
                             {"gone_seconds", std::round(static_cast<double>(now_us - each.gone_us) / 1e6)}});
        }
        found.evidence = {{"messages", all.size()}, {"examples", std::move(examples)}};
        into.push_back(std::move(found));
    }
    json::array looping;
    std::uint64_t most = 0;
    for (const auto& [key, record] : from.tables().redelivered) {
        if (record.count < loop_deliveries || looping.size() >= examples_max) continue;
        most = std::max(most, record.count);
        looping.push_back(json::object{{"tag", text(record.tag)}, {"redeliveries", record.count}});
    }
    if (looping.empty()) return;
    finding found{"redelivery-loop", severity::critical, {db, {}}, {}, {}, {}, {}};
    found.title =
        "Messages are delivered again and again: a task kills its worker, or outlives the visibility timeout";
    found.remedy = "Look at the task; --broker-redeliveries-max N sets such messages aside as dead letters.";
    found.evidence = {{"most_redeliveries", most}, {"examples", std::move(looping)}};
    into.push_back(std::move(found));
}

}  // namespace

void find_in_traffic(const observer& from, std::uint8_t db, std::int64_t now_us, std::vector<finding>& into) {
    timeouts_differ(from, db, into);
    waits_beyond_timeout(from, db, now_us, into);
    orphans_and_loops(from, db, now_us, into);
    ready_counts waiting;
    for (const queue_view& each : from.queues()) waiting[{each.broker, each.name}] = each.ready.value_or(0);
    const auto workers = from.workers();
    for (const worker_view& each : workers) {
        if (each.broker.db == db) about_worker(from, each, waiting, now_us, into);
    }
    mixed_versions(workers, db, into);
    for (const silent_drop_view& each : from.silent_drops()) {
        if (each.broker.db != db) continue;
        finding found{"silent-drop", severity::critical, each.broker, each.exchange, {}, {}, {}};
        found.title =
            "Messages were published to an exchange from which nothing matched: they are lost without an "
            "error";
        found.remedy =
            "Declare the exchange with its type and its queues in the producer too (task_queues), and check "
            "the "
            "routing key; start a worker that binds the queue before producing.";
        found.evidence = {{"lost", each.count},
                          {"last_by", text(each.client_address)},
                          {"last_seconds_ago", std::round(static_cast<double>(now_us - each.last_us) / 1e6)}};
        into.push_back(std::move(found));
    }
}

std::string_view to_text(severity level) {
    constexpr std::array<std::string_view, 3> names{"info", "warning", "critical"};
    return names[static_cast<std::size_t>(level)];
}

std::vector<finding> find_problems(const observer& from, std::uint8_t db, const redis_facts& facts,
                                   std::int64_t now_us) {
    std::vector<finding> found;
    find_in_traffic(from, db, now_us, found);
    find_in_queues(from, db, now_us, found);
    find_in_redis(from, db, facts, now_us, found);
    std::stable_sort(found.begin(), found.end(), [](const finding& a, const finding& b) {
        return std::tie(b.level, a.id, a.broker, a.subject) < std::tie(a.level, b.id, b.broker, b.subject);
    });
    return found;
}

}  // namespace broker
