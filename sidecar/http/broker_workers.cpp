// Workers, what they are told, and what the doctor finds.

#include <algorithm>

#include "broker/pidbox_caller.hpp"
#include "sidecar/http/broker_call.hpp"
#include "sidecar/http/broker_changes.hpp"
#include "sidecar/http/broker_routes.hpp"

namespace sidecar {

namespace {

json::value seconds_since(const broker_call& call, std::optional<std::int64_t> at_us) {
    if (!at_us) return nullptr;
    return static_cast<double>(call.control().now_us() - *at_us) / 1e6;
}

template <typename T>
json::value or_null(const std::optional<T>& value) {
    return value ? json::value(*value) : json::value(nullptr);
}

json::value text_or_null(const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(json_text(text));
}

json::object worker_json(const broker_call& call, const broker::worker_view& worker) {
    json::array queues;
    for (const std::string& each : worker.queues) queues.push_back(json_text(each));
    json::array clients(worker.clients.begin(), worker.clients.end());
    json::array load(worker.load.begin(), worker.load.end());
    return {{"node", text_or_null(worker.node)},
            {"state", json_text(broker::to_text(worker.state))},
            {"address", text_or_null(worker.address)},
            {"queues", std::move(queues)},
            {"clients", std::move(clients)},
            {"unacked", worker.unacked},
            {"active", or_null(worker.active)},
            {"processed", or_null(worker.processed)},
            {"concurrency", or_null(worker.concurrency)},
            {"prefetch", or_null(worker.prefetch)},
            {"pid", or_null(worker.pid)},
            {"load", std::move(load)},
            {"last_heartbeat_seconds", seconds_since(call, worker.last_heartbeat_us)},
            {"heartbeat_every_seconds", or_null(worker.heartbeat_every_s)},
            {"last_poll_seconds", seconds_since(call, worker.last_poll_us)},
            {"started_seconds", seconds_since(call, worker.started_us)},
            {"gone_seconds", seconds_since(call, worker.gone_us)},
            {"visibility_timeout_seconds", or_null(worker.visibility_timeout_s)},
            {"clock_skew_seconds", or_null(worker.clock_skew_s)},
            {"put_backs", worker.put_backs},
            {"software", text_or_null(worker.software)},
            {"system", text_or_null(worker.system)}};
}

std::vector<broker::worker_view> workers_of(const broker_call& call) {
    auto all = call.control().observer().workers();
    std::erase_if(all, [&](const broker::worker_view& each) { return each.broker != call.id(); });
    return all;
}

http_response list_workers(const broker_call& call) {
    json::array items;
    for (const broker::worker_view& each : workers_of(call)) items.push_back(worker_json(call, each));
    const std::size_t total = items.size();
    return json_response(json::object{{"items", std::move(items)}, {"next", nullptr}, {"total", total}});
}

http_response show_worker(const broker_call& call) {
    for (const broker::worker_view& each : workers_of(call)) {
        if (each.node == call.path(0)) return json_response(worker_json(call, each));
    }
    throw api_refusal{404, "no worker of this name was seen"};
}

// Closes its sockets: it reconnects and consumes again, which cures a worker that has stopped asking.
http_response kick_worker(const broker_call& call) {
    std::vector<std::uint64_t> clients;
    bool seen = false;
    for (const broker::worker_view& each : workers_of(call)) {
        if (each.node != call.path(0)) continue;
        seen = true;
        clients.insert(clients.end(), each.clients.begin(), each.clients.end());
    }
    if (!seen) throw api_refusal{404, "no worker of this name was seen"};
    const std::size_t closed = call.control().kick(clients);
    call.desk().operations.audit("worker kick", {{"worker", json_text(call.path(0))}, {"sockets", closed}},
                                 author_of(call));
    // The others had ended already, or one shard has not answered in time.
    return json_response(json::object{{"changed", closed}, {"sockets", clients.size()}});
}

http_response tell_worker(const broker_call& call) {
    if (call.path(1) == "kick") return kick_worker(call);
    json::object given = call.body();
    // The names the API uses elsewhere.
    for (const auto& [ours, theirs] : {std::pair("task", "task_name"), std::pair("rate", "rate_limit")}) {
        if (const auto* const value = given.if_contains(ours)) given[theirs] = *value;
    }
    std::string error;
    auto operation = broker::pidbox_operation(call.path(1), given, error);
    if (!operation) throw api_refusal{error.starts_with("unknown") ? 404U : 400U, error};
    const std::string& node = call.path(0);
    if (node != "*") {
        const auto workers = workers_of(call);
        const bool seen = std::any_of(workers.begin(), workers.end(),
                                      [&](const broker::worker_view& each) { return each.node == node; });
        if (!seen) throw api_refusal{404, "no worker of this name was seen"};
        operation->nodes = {node};
    }
    call.desk().operations.audit("worker " + call.path(1),
                                 {{"worker", json_text(node)}, {"with", call.body()}}, author_of(call));
    const broker::pidbox_answer answer = call.control().watch().control(call.id(), *operation);
    if (!answer.error.empty()) throw api_refusal{503, "Redis: " + answer.error};
    json::object replies;
    for (const auto& [name, reply] : answer.replies) replies[json_text(name)] = reply;
    json::array missing;
    for (const std::string& each : answer.missing) missing.push_back(json_text(each));
    if (operation->wait == broker::pidbox_wait::replies && node != "*" && answer.replies.empty()) {
        throw api_refusal{504, "the worker did not answer within a second: it is busy, stopped or gone"};
    }
    return json_response(json::object{{"changed", answer.replies.size()},
                                      {"listeners", answer.listeners},
                                      {"replies", std::move(replies)},
                                      {"missing", std::move(missing)}});
}

http_response list_findings(const broker_call& call) {
    if (call.flag("fresh", true)) call.control().watch().look_now();
    json::array items;
    for (const broker::finding& each : call.control().watch().findings()) {
        const broker::broker_id chosen = call.id();
        // What is true of the whole db is told with every broker in it.
        const bool of_all = each.broker.prefix.empty() && each.subject.empty();
        if (each.broker.db != chosen.db || (each.broker != chosen && !of_all)) continue;
        items.push_back(json::object{{"id", each.id},
                                     {"severity", json_text(broker::to_text(each.level))},
                                     {"subject", json_text(each.subject)},
                                     {"title", each.title},
                                     {"evidence", each.evidence},
                                     {"remedy", each.remedy}});
    }
    const std::size_t total = items.size();
    return json_response(json::object{{"items", std::move(items)}, {"next", nullptr}, {"total", total}});
}

}  // namespace

void add_worker_routes(http_routes& routes, broker_control& control) {
    routes.add(broker_route(control, "GET", "/api/v1/workers", "Workers, by sockets and heartbeats", "Page",
                            list_workers));
    routes.add(broker_route(control, "GET", "/api/v1/workers/{name}", "One worker", "Worker", show_worker));
    routes.add(
        broker_route(control, "POST", "/api/v1/workers/{name}/{operation}",
                     "Remote control: ping, stats, active, reserved, scheduled, shutdown, pool-grow, …; "
                     "the name * means all workers",
                     "Change", tell_worker, {}, R"({"type":"object"})"));
    routes.add(broker_route(
        control, "GET", "/api/v1/findings", "What is wrong or about to be, with evidence and remedy", "Page",
        list_findings, {{"fresh", R"({"type":"boolean"})", "false: as of the last look, up to 10 s ago"}}));
}

}  // namespace sidecar
