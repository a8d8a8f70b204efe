// Changes to queues: purge, pause and their kind, and messages of one queue by tag or filter.

#include <algorithm>
#include <chrono>
#include <map>

#include "broker/kombu_names.hpp"
#include "sidecar/http/broker_changes.hpp"
#include "sidecar/http/broker_routes.hpp"

namespace sidecar {

namespace {

using broker::queue_end;
using broker::rule_kind;

constexpr std::string_view reason_body = R"({"type":"object","properties":{"reason":{"type":"string"}}})";
constexpr std::string_view chosen_body =
    R"({"type":"object","properties":{"tags":{"type":"array","items":{"type":"string"},"maxItems":10000},)"
    R"("filter":{"type":"object","properties":{"task":{"type":"string"},"id":{"type":"string"},)"
    R"("text":{"type":"string"}}},"expect":{"type":"integer","minimum":0},"to":{"type":"string"},)"
    R"("end":{"type":"string","enum":["head","tail"]},)"
    R"("priority":{"type":"integer","minimum":0,"maximum":9},"reason":{"type":"string"}}})";
constexpr std::string_view purge_body =
    R"({"type":"object","required":["expect"],"properties":{"expect":{"type":"integer","minimum":0},)"
    R"("tolerance":{"type":"integer","minimum":0},"trash":{"type":"boolean"},"reason":{"type":"string"}}})";
constexpr std::string_view rate_body =
    R"({"type":"object","required":["rate"],"properties":{)"
    R"("rate":{"type":["number","null"],"minimum":0.0001,"maximum":1000000},"reason":{"type":"string"}}})";

// So long changes follow each other in one request; then it hands back and tells how many are left, so that
// neither Redis nor whoever else asks this process has to wait for ten thousand of them.
constexpr std::chrono::milliseconds changes_time_max{500};

http_response change_each(const std::vector<listed_message>& chosen, bool repeatable,
                          const std::function<change_result(const listed_message&)>& change) {
    const auto over = std::chrono::steady_clock::now() + changes_time_max;
    change_summary summary;
    std::map<std::string, std::vector<std::int64_t>> taken;  // by list: where, in order
    std::size_t done = 0;
    for (listed_message message : chosen) {
        if (repeatable && done > 0 && std::chrono::steady_clock::now() > over) break;
        // Each that was taken out has moved those behind it one place on.
        auto& before = taken[message.key];
        const auto place = std::lower_bound(before.begin(), before.end(), message.position);
        const std::int64_t was = message.position;
        message.position -= place - before.begin();
        const auto result = change(message);
        if (result.outcome == change_outcome::done) before.insert(place, was);
        summary.add(message.tag, result);
        ++done;
    }
    json::object body = summary.as_json();
    body["left"] = chosen.size() - done;
    return json_response(body);
}

http_response delete_from_queue(const broker_call& call) {
    const std::string& queue = call.known_queue(0);
    return change_each(chosen_messages(call, queue), true,
                       [&](const listed_message& message) { return delete_message(call, message); });
}

http_response move_within(const broker_call& call, const std::string& target, queue_end end) {
    const std::string& queue = call.known_queue(0);
    const auto priority = call.number_of("priority");
    if (priority && (*priority < 0 || *priority > 9)) throw api_refusal{400, "priority must be from 0 to 9"};
    // What stays in its queue would be chosen again by the next request: that is done in one.
    return change_each(chosen_messages(call, queue), target != queue, [&](const listed_message& message) {
        return move_message(call, message, target, priority, end);
    });
}

http_response move_from_queue(const broker_call& call) {
    const std::string target = call.text_of("to");
    if (target.empty()) throw api_refusal{400, "`to` must name a queue"};
    return move_within(call, target, end_of(call, queue_end::tail));
}

http_response requeue_in_queue(const broker_call& call) {
    return move_within(call, call.path(0), end_of(call, queue_end::tail));
}

http_response purge_queue(const broker_call& call) {
    const std::string& queue = call.known_queue(0);
    const auto depths = call.desk().inspector.depths(call.layout(), {queue});
    std::int64_t count = 0;
    for (const auto depth : depths.front()) count += static_cast<std::int64_t>(depth);
    std::int64_t marked = 0;
    for (const int step : call.layout().steps)
        marked += static_cast<std::int64_t>(call.desk().rules.marked_in(call.layout().list_key(queue, step)));
    const auto expected = call.number_of("expect");
    if (!expected)
        throw api_refusal{409,
                          "say how many with `expect`: it would be " + std::to_string(count - marked),
                          {{"count", count - marked}}};
    const std::int64_t tolerance = call.number_of("tolerance").value_or(0);
    if (tolerance < 0 || *expected < 0) throw api_refusal{400, "counts must not be negative"};
    const bool keep = !call.body().contains("trash") || call.flag_of("trash");
    auto result = call.desk().operations.purge(call.layout(), queue, *expected + marked, tolerance, keep,
                                               author_of(call));
    result.count -= marked;
    refuse_failure(result);
    json::object body{{"changed", result.count}};
    body["undo"] = result.undo.empty() ? json::value(nullptr) : json::value(json_text(result.undo));
    body["note"] = "messages that workers hold (unacked) are untouched";
    return json_response(body);
}

http_response delete_queue(const broker_call& call) {
    auto response = purge_queue(call);
    std::vector<broker::redis_command> commands;
    for (const auto& binding : call.desk().catalog.bindings(call.layout()))
        if (binding.queue == call.path(0))
            commands.push_back(
                {"SREM", call.layout().binding_key(binding.exchange),
                 broker::binding_member({binding.routing_key, binding.pattern, binding.queue})});
    (void)call.desk().redis.pipeline(commands);
    call.desk().operations.audit("delete queue", {{"queue", json_text(call.path(0))}}, author_of(call));
    return response;
}

broker::rule rule_by(const broker_call& call) {
    const auto author = author_of(call);
    broker::rule rule;
    rule.by = author.by;
    rule.reason = author.reason;
    rule.at = static_cast<double>(author.now_us) / 1e6;
    return rule;
}

void tell_rules(const broker_call& call, std::string_view action, json::object about) {
    if (!call.control().push_rules())
        throw api_refusal{503, "the rule is kept, but not every shard has answered yet"};
    call.desk().operations.audit(action, about, author_of(call));
    about["action"] = json_text(action);
    call.control().events().publish("change", json::serialize(about));
}

void write(const std::string& error) {
    if (!error.empty()) throw api_refusal{503, "Redis: " + error};
}

http_response rule_answer(std::string_view state) {
    return json_response(json::object{{"changed", 1}, {"state", json_text(state)}});
}

std::string rule_key(const broker_call& call) {
    return call.layout().prefix + call.path(0);
}

http_response pause_queue(const broker_call& call) {
    write(call.desk().rules.set(rule_kind::pause, rule_key(call), rule_by(call)));
    tell_rules(call, "pause", {{"queue", json_text(call.path(0))}});
    return rule_answer("paused");
}

http_response drain_queue(const broker_call& call) {
    write(call.desk().rules.set(rule_kind::drain, rule_key(call), rule_by(call)));
    tell_rules(call, "drain", {{"queue", json_text(call.path(0))}});
    return rule_answer("draining");
}

// What was put aside comes back to where it was bound for, a bounded piece at a time: behind what waits, or
// in front of it, in its own order.
std::int64_t give_back(const broker_call& call, const std::string& queue, queue_end end) {
    constexpr std::int64_t at_once = 500;
    constexpr int times_max = 200;
    std::int64_t moved = 0;
    for (const int step : call.layout().steps) {
        const std::string key = call.layout().list_key(queue, step);
        const std::string held = broker::own_key("held:" + key);
        for (int i = 0; i < times_max; ++i) {
            const auto result =
                call.desk().operations.transfer(held, key, at_once, end, "give back", author_of(call));
            moved += result.count;
            if (result.count < at_once) break;
        }
    }
    return moved;
}

http_response resume_queue(const broker_call& call) {
    auto& rules = call.desk().rules;
    const bool drained = rules.find(rule_kind::drain, rule_key(call)) != nullptr;
    write(rules.clear(rule_kind::pause, rule_key(call)));
    write(rules.clear(rule_kind::drain, rule_key(call)));
    tell_rules(call, "resume", {{"queue", json_text(call.path(0))}});
    const std::int64_t back = drained ? give_back(call, call.path(0), queue_end::tail) : 0;
    return json_response(json::object{{"changed", 1}, {"state", "active"}, {"given_back", back}});
}

std::optional<double> wanted_rate(const broker_call& call) {
    const auto* value = call.body().if_contains("rate");
    if (value == nullptr) throw api_refusal{400, "`rate` must be a number a second, or null for no limit"};
    if (value->is_null()) return std::nullopt;
    if (!value->is_number()) throw api_refusal{400, "`rate` must be a number a second, or null for no limit"};
    const double rate = value->to_number<double>();
    if (!(rate >= 0.0001 && rate <= 1e6))
        throw api_refusal{400, "`rate` must be from 0.0001 to 1000000 a second"};
    return rate;
}

http_response set_rate(const broker_call& call, rule_kind kind, const std::string& subject) {
    const auto rate = wanted_rate(call);
    auto rule = rule_by(call);
    rule.per_second = rate.value_or(0);
    write(rate ? call.desk().rules.set(kind, subject, rule) : call.desk().rules.clear(kind, subject));
    json::object about{{"subject", json_text(subject)}};
    about["per_second"] = rate ? json::value(*rate) : json::value(nullptr);
    tell_rules(call, "rate", about);
    return json_response(json::object{{"changed", 1}, {"rate", about["per_second"]}});
}

http_response rate_queue(const broker_call& call) {
    return set_rate(call, rule_kind::rate, rule_key(call));
}

http_response rate_task(const broker_call& call) {
    return set_rate(call, rule_kind::task_rate, call.path(0));
}

http_response pause_task(const broker_call& call) {
    write(call.desk().rules.set(rule_kind::hold, call.path(0), rule_by(call)));
    tell_rules(call, "hold", {{"task", json_text(call.path(0))}});
    return rule_answer("held");
}

http_response resume_task(const broker_call& call) {
    auto& rules = call.desk().rules;
    write(rules.clear(rule_kind::hold, call.path(0)));
    write(rules.clear(rule_kind::revoke_task, call.path(0)));
    tell_rules(call, "resume task", {{"task", json_text(call.path(0))}});
    std::int64_t back = 0;
    // Whatever a draining queue put aside stays there until that is over.
    for (const auto& queue : call.queues())
        if (rules.find(rule_kind::drain, call.layout().prefix + queue) == nullptr)
            back += give_back(call, queue, queue_end::head);
    return json_response(json::object{{"changed", 1}, {"state", "active"}, {"given_back", back}});
}

http_response revoke_task_type(const broker_call& call) {
    if (call.flag_of("remove")) {
        write(call.desk().rules.clear(rule_kind::revoke_task, call.path(0)));
        tell_rules(call, "unrevoke task type", {{"task", json_text(call.path(0))}});
        return rule_answer("active");
    }
    write(call.desk().rules.set(rule_kind::revoke_task, call.path(0), rule_by(call)));
    tell_rules(call, "revoke task type", {{"task", json_text(call.path(0))}});
    return rule_answer("revoked");
}

http_response revoke_task(const broker_call& call) {
    if (call.flag_of("remove")) {
        write(call.desk().rules.clear(rule_kind::revoke, call.path(0)));
        tell_rules(call, "unrevoke", {{"id", json_text(call.path(0))}});
        return rule_answer("active");
    }
    auto rule = rule_by(call);
    const auto seconds = call.number_of("expires_seconds").value_or(7 * 86'400);
    if (seconds < 1) throw api_refusal{400, "expires_seconds must be positive"};
    rule.expires = rule.at + static_cast<double>(seconds);
    write(call.desk().rules.set(rule_kind::revoke, call.path(0), rule));
    tell_rules(call, "revoke", {{"id", json_text(call.path(0))}});
    return rule_answer("revoked");
}

http_response revoke_stamp(const broker_call& call) {
    const std::string name = call.text_of("stamp");
    const std::string value = call.text_of("value");
    if (name.empty() || name.find('=') != name.npos || value.empty())
        throw api_refusal{400, "a `stamp` has a name without '=' and a `value`"};
    if (call.flag_of("remove")) {
        write(call.desk().rules.clear(rule_kind::revoke_stamp, name + "=" + value));
        tell_rules(call, "unrevoke stamp", {{"stamp", json_text(name + "=" + value)}});
        return rule_answer("active");
    }
    write(call.desk().rules.set(rule_kind::revoke_stamp, name + "=" + value, rule_by(call)));
    tell_rules(call, "revoke stamp", {{"stamp", json_text(name + "=" + value)}});
    return rule_answer("revoked");
}

http_response clear_rule(const broker_call& call) {
    const auto kind = broker::rule_kind_of(call.text_of("kind"));
    const std::string subject = call.text_of("subject");
    if (!kind) throw api_refusal{400, "`kind` must be one of those GET /api/v1/rules shows"};
    if (call.desk().rules.find(*kind, subject) == nullptr) throw api_refusal{404, "there is no such rule"};
    write(call.desk().rules.clear(*kind, subject));
    tell_rules(call, "clear rule", {{"kind", json_text(name_of(*kind))}, {"subject", json_text(subject)}});
    return rule_answer("cleared");
}

}  // namespace

void add_queue_change_routes(http_routes& routes, broker_control& control) {
    const auto add = [&](std::string_view path, std::string_view summary, broker_handler handler,
                         std::string_view body) {
        routes.add(broker_route(control, "POST", path, summary, "Change", handler, {}, body));
    };
    add("/api/v1/queues/{name}/pause", "Nothing is delivered until resumed", pause_queue, reason_body);
    add("/api/v1/queues/{name}/resume", "Ends pause and drain", resume_queue, reason_body);
    add("/api/v1/queues/{name}/drain", "What comes is put aside, what waits is delivered", drain_queue,
        reason_body);
    add("/api/v1/queues/{name}/rate", "Limits deliveries a second", rate_queue, rate_body);
    add("/api/v1/queues/{name}/purge", "Removes all that waits, into the trash", purge_queue, purge_body);
    add("/api/v1/queues/{name}/delete-queue", "Purges it and takes its bindings away", delete_queue,
        purge_body);
    add("/api/v1/queues/{name}/delete", "Removes messages, into the trash", delete_from_queue, chosen_body);
    add("/api/v1/queues/{name}/move", "Moves messages to another queue", move_from_queue, chosen_body);
    add("/api/v1/queues/{name}/requeue", "Moves messages to an end of their queue", requeue_in_queue,
        chosen_body);
    add("/api/v1/task-types/{name}/pause", "Puts messages of this task aside at delivery", pause_task,
        reason_body);
    add("/api/v1/task-types/{name}/resume", "Ends pause and revocation, gives back what was put aside",
        resume_task, reason_body);
    add("/api/v1/task-types/{name}/rate", "Limits deliveries of this task a second", rate_task, rate_body);
    add("/api/v1/task-types/{name}/revoke", "Drops messages of this task at delivery", revoke_task_type,
        reason_body);
    add("/api/v1/tasks/{id}/revoke", "Drops the task's message at delivery", revoke_task,
        R"({"type":"object","properties":{"expires_seconds":{"type":"integer","minimum":1},)"
        R"("remove":{"type":"boolean"},)"
        R"("reason":{"type":"string"}}})");
    add("/api/v1/revoked", "Drops messages with this stamp at delivery", revoke_stamp,
        R"({"type":"object","required":["stamp","value"],"properties":{"stamp":{"type":"string"},)"
        R"("remove":{"type":"boolean"},)"
        R"("value":{"type":"string"},"reason":{"type":"string"}}})");
    add("/api/v1/rules/clear", "Clears one rule", clear_rule,
        R"({"type":"object","required":["kind","subject"],"properties":{"kind":{"type":"string"},)"
        R"("subject":{"type":"string"}}})");
}

}  // namespace sidecar
