// Queues and what waits in them.

#include <map>

#include "broker/glance.hpp"
#include "sidecar/http/broker_call.hpp"
#include "sidecar/http/broker_json.hpp"
#include "sidecar/http/broker_routes.hpp"

namespace sidecar {

namespace {

using broker::rule_kind;

constexpr std::string_view limit_schema = R"({"type":"integer","minimum":1,"maximum":500,"default":50})";
constexpr std::size_t sampled_max = 1'000;  // messages of a breakdown

json::value seconds_since(const broker_call& call, std::optional<std::int64_t> at_us) {
    if (!at_us) return nullptr;
    return static_cast<double>(call.control().now_us() - *at_us) / 1e6;
}

std::string_view state_of(const broker_call& call, const std::string& key) {
    const auto& rules = call.desk().rules;
    if (rules.find(rule_kind::pause, key) != nullptr) return "paused";
    return rules.find(rule_kind::drain, key) != nullptr ? "draining" : "active";
}

// What passed by, as far as it was seen.
void add_traffic(const broker_call& call, const std::optional<broker::queue_view>& seen, json::object& item) {
    const broker::queue_view none;
    const auto& view = seen ? *seen : none;
    item["in_per_second"] = view.last_10s.in_per_second;
    item["out_per_second"] = view.last_10s.out_per_second;
    item["ack_per_second"] = view.last_10s.ack_per_second;
    item["consumers"] = view.consumer_processes;
    item["oldest_seconds"] = seconds_since(call, view.oldest_enqueued_us);
    item["pushed_total"] = view.pushed_total;
    item["delivered_total"] = view.popped_total;
    item["acknowledged_total"] = view.acked_total;
    item["redelivered_total"] = view.redelivered_total;
    item["put_back_total"] = view.put_back_total;
    item["last_delivered_seconds"] = seconds_since(call, view.last_popped_us);
    item["bound"] = view.bound;
}

void add_depth(const broker_call& call, const std::string& queue, const std::vector<std::uint64_t>& by_step,
               json::object& item) {
    std::uint64_t ready = 0;
    std::uint64_t marked = 0;
    json::object by_priority;
    for (std::size_t i = 0; i < by_step.size(); ++i) {
        const int step = call.layout().steps[i];
        const auto hidden =
            std::min(by_step[i], call.desk().rules.marked_in(call.layout().list_key(queue, step)));
        ready += by_step[i] - hidden;
        marked += hidden;
        by_priority[std::to_string(step)] = by_step[i] - hidden;
    }
    item["ready"] = ready;
    item["by_priority"] = by_priority;
    item["ready_by_priority"] = std::move(by_priority);
    item["marked"] = marked;
}

// Lengths of what was put aside, of all priorities.
void add_put_aside(const broker_call& call, const std::vector<std::string>& queues, json::array& items) {
    std::vector<broker::redis_command> questions;
    for (const auto& queue : queues)
        for (const char* what : {"dead:", "held:"})
            for (const int step : call.layout().steps)
                questions.push_back({"LLEN", broker::own_key(what + call.layout().list_key(queue, step))});
    const auto lengths = call.desk().redis.pipeline(questions);
    std::size_t at = 0;
    for (auto& item : items)
        for (const char* what : {"dead", "held"}) {
            std::int64_t sum = 0;
            for (std::size_t step = 0; step < call.layout().steps.size(); ++step)
                sum += lengths[at++].integer;
            item.as_object()[what] = sum;
        }
}

void add_unacked(const broker::unacked_counts& counts, const std::string& queue, json::object& item) {
    json::object by_state;
    for (const char* state : {"running", "prefetched", "eta", "overdue", "orphan", "unknown"})
        by_state[state] = 0;
    if (const auto found = counts.by_queue.find(queue); found != counts.by_queue.end())
        for (const auto& [state, count] : found->second) by_state[json_text(broker::to_text(state))] = count;
    item["unacked"] = counts.of(queue);
    item["unacked_by_state"] = std::move(by_state);
    item["unacked_complete"] = counts.complete;
}

json::array queue_items(const broker_call& call, const std::vector<std::string>& names) {
    const auto depths = call.desk().inspector.depths(call.layout(), names);
    const auto& unacked = call.control().unacked_counts(call.desk(), call.layout());
    json::array items;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string key = call.layout().prefix + names[i];
        json::object item{{"name", json_text(names[i])}, {"db", call.desk().db}};
        item["prefix"] = json_text(call.layout().prefix);
        item["state"] = json_text(state_of(call, key));
        item["paused"] = call.desk().rules.find(rule_kind::pause, key) != nullptr;
        const auto* rate = call.desk().rules.find(rule_kind::rate, key);
        item["rate"] = rate != nullptr ? json::value(rate->per_second) : json::value(nullptr);
        add_depth(call, names[i], depths[i], item);
        add_unacked(unacked, names[i], item);
        add_traffic(call, call.control().observer().queue(call.id(), names[i]), item);
        items.push_back(std::move(item));
    }
    add_put_aside(call, names, items);
    return items;
}

http_response list_queues(const broker_call& call) {
    constexpr std::size_t queues_max = 1'000;
    auto names = call.queues();
    const std::string cursor = call.query("cursor").value_or("");
    const auto limit = static_cast<std::size_t>(call.number("limit", queues_max, 1, queues_max));
    names.erase(names.begin(), std::upper_bound(names.begin(), names.end(), cursor));
    std::optional<std::string> next;
    if (names.size() > limit) {
        names.resize(limit);
        next = names.back();
    }
    return json_response(page_json(queue_items(call, names), next));
}

http_response show_queue(const broker_call& call) {
    const std::string& queue = call.known_queue(0);
    json::object item = std::move(queue_items(call, {queue})[0].as_object());
    json::array bindings;
    for (const auto& binding : call.desk().catalog.bindings(call.layout()))
        if (binding.queue == queue)
            bindings.push_back(json::object{{"exchange", json_text(binding.exchange)},
                                            {"routing_key", json_text(binding.routing_key)},
                                            {"pattern", json_text(binding.pattern)}});
    item["bindings"] = std::move(bindings);
    return json_response(item);
}

http_response list_messages(const broker_call& call) {
    const std::string& queue = call.known_queue(0);
    std::optional<broker::page_cursor> after;
    if (const auto text = call.query("cursor"); text && !text->empty()) {
        after = broker::page_cursor::parse(*text);
        if (!after) throw api_refusal{400, "cursor must be the `next` of an earlier page"};
    }
    const std::string order = call.query("order").value_or("next");
    if (order != "next" && order != "newest") throw api_refusal{400, "order must be next or newest"};
    const auto from = order == "next" ? broker::list_end::right : broker::list_end::left;
    const auto limit = static_cast<std::size_t>(call.number("limit", 50, 1, 500));
    const auto view = call.flag("decode", true) ? body_view::decoded : body_view::head;
    const auto page = call.desk().inspector.page(call.layout(), queue, from, after, limit);
    if (!page.error.empty()) throw api_refusal{503, "Redis: " + page.error};
    json::array items;
    for (const auto& message : page.items) items.push_back(message_json(call, message, view));
    std::optional<std::string> next;
    if (page.next) next = page.next->text();
    json::object body = page_json(std::move(items), next);
    body["left_meanwhile"] = page.left_meanwhile;
    body["exact"] = page.exact;
    return json_response(body);
}

// Both ends are looked at, not the whole queue.
http_response break_down(const broker_call& call) {
    const std::string& queue = call.known_queue(0);
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> by_task;
    std::uint64_t sampled = 0;
    for (const auto from : {broker::list_end::right, broker::list_end::left}) {
        const auto page =
            call.desk().inspector.page(call.layout(), queue, from, std::nullopt, sampled_max / 2);
        if (!page.error.empty()) throw api_refusal{503, "Redis: " + page.error};
        for (const auto& message : page.items) {
            const auto seen = broker::glance(message.element, message.size);
            auto& entry = by_task[seen ? seen->head.task : std::string()];
            ++entry.first;
            entry.second += message.size;
            ++sampled;
        }
        if (!page.next) break;
    }
    json::array items;
    for (const auto& [task, counted] : by_task)
        items.push_back(
            json::object{{"task", task.empty() ? json::value(nullptr) : json::value(json_text(task))},
                         {"messages", counted.first},
                         {"share", static_cast<double>(counted.first) / static_cast<double>(sampled)},
                         {"bytes", counted.second}});
    json::object body = page_json(std::move(items), std::nullopt);
    body["sampled"] = sampled;
    return json_response(body);
}

// One number to scale workers by: what waits and what is being worked on.
http_response autoscale(const broker_call& call) {
    std::vector<std::string> names = call.queues();
    if (const auto wanted = call.query("queue"); wanted && !wanted->empty()) {
        names.clear();
        for (std::size_t begin = 0; begin <= wanted->size();) {
            const std::size_t end = std::min(wanted->find(',', begin), wanted->size());
            if (end > begin) names.push_back(wanted->substr(begin, end - begin));
            begin = end + 1;
        }
    }
    if (names.size() > 1'000) throw api_refusal{400, "too many queues"};
    json::array items;
    std::uint64_t value = 0;
    bool complete = true;
    for (const auto& each : queue_items(call, names)) {
        const auto& queue = each.get_object();
        const auto ready = queue.at("ready").to_number<std::uint64_t>();
        const auto unacked = queue.at("unacked").to_number<std::uint64_t>();
        value += ready + unacked;
        complete = complete && queue.at("unacked_complete").get_bool();
        items.push_back(json::object{
            {"name", queue.at("name")}, {"ready", ready}, {"unacked", unacked}, {"value", ready + unacked}});
    }
    return json_response(
        json::object{{"queues", std::move(items)}, {"value", value}, {"complete", complete}});
}

http_response list_brokers(const broker_call& call) {
    json::array items;
    for (const int db : call.control().settings().dbs) {
        auto* desk = call.control().desk(db);
        if (desk == nullptr) continue;
        for (const auto& prefix : desk->catalog.prefixes()) {
            const auto layout = call.control().layout_of(db, prefix);
            json::array steps(layout.steps.begin(), layout.steps.end());
            items.push_back(json::object{{"db", db},
                                         {"prefix", json_text(prefix)},
                                         {"queues", desk->catalog.queues(layout).size()},
                                         {"separator", json_text(layout.separator)},
                                         {"priority_steps", std::move(steps)},
                                         {"unacked_key", json_text(layout.unacked)},
                                         {"unacked", desk->unacked.count(layout)}});
        }
    }
    return json_response(page_json(std::move(items), std::nullopt));
}

}  // namespace

void add_queue_routes(http_routes& routes, broker_control& control) {
    const route_field cursor{"cursor", R"({"type":"string"})", "`next` of the page before"};
    const auto get = [&](std::string_view path, std::string_view summary, std::string_view schema,
                         broker_handler handler, std::vector<route_field> query = {}) {
        routes.add(broker_route(control, "GET", path, summary, schema, handler, std::move(query)));
    };
    get("/api/v1/brokers", "Applications by their prefix, and how they name their keys", "Page",
        list_brokers);
    get("/api/v1/queues", "Queues with what waits in them and what passes", "Queues", list_queues,
        {cursor, {"limit", R"({"type":"integer","minimum":1,"maximum":1000})", "Queues at most"}});
    get("/api/v1/queues/{name}", "One queue, with its bindings", "Queue", show_queue);
    get("/api/v1/queues/{name}/messages", "What waits in a queue, without consuming it; first what runs next",
        "Messages", list_messages,
        {cursor,
         {"limit", limit_schema, "Messages at most"},
         {"order", R"({"type":"string","enum":["next","newest"]})", "Which end to begin at"},
         {"decode", R"({"type":"boolean"})", "false: leave bodies undecoded"}});
    get("/api/v1/queues/{name}/breakdown", "Task names of a sample of both ends", "Page", break_down);
    get("/api/v1/autoscale", "Ready and unacknowledged messages, for an autoscaler", "Autoscale", autoscale,
        {{"queue", R"({"type":"string"})", "Names, with commas between; all without it"}});
}

}  // namespace sidecar
