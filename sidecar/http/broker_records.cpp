// What operators did and can undo: audit, trash, rules; and what was put aside.

#include <algorithm>

#include "broker/edit_envelope.hpp"
#include "sidecar/http/broker_changes.hpp"
#include "sidecar/http/broker_json.hpp"
#include "sidecar/http/broker_routes.hpp"

namespace sidecar {

namespace {

http_response list_audit(const broker_call& call) {
    const auto limit = static_cast<std::size_t>(call.number("limit", 50, 1, 500));
    const std::string cursor = call.query("cursor").value_or("");
    std::string error;
    const auto entries = call.desk().operations.audit_entries(cursor, limit, error);
    if (error.starts_with("ERR Invalid stream ID") || error.starts_with("ERR invalid"))
        throw api_refusal{400, "cursor must be the `next` of an earlier page"};
    if (!error.empty()) throw api_refusal{503, "Redis: " + error};
    json::array items;
    for (const auto& entry : entries) {
        json::object item = entry.about;
        item["id"] = json_text(entry.id);
        items.push_back(std::move(item));
    }
    std::optional<std::string> next;
    if (entries.size() == limit) next = entries.back().id;
    return json_response(page_json(std::move(items), next));
}

http_response list_trash(const broker_call& call) {
    const auto limit = static_cast<std::size_t>(call.number("limit", 50, 1, 500));
    const auto offset = static_cast<std::size_t>(call.number("cursor", 0, 0, 10'000'000));
    std::string error;
    const auto found = call.desk().operations.trash(offset, limit, error);
    if (!error.empty()) throw api_refusal{503, "Redis: " + error};
    json::array items;
    for (const auto& what : found) {
        json::object item = what.about;
        item["id"] = json_text(what.id);
        if (!what.element.empty())
            item["message"] = message_json(call, what.element, what.element.size(), body_view::head);
        items.push_back(std::move(item));
    }
    std::optional<std::string> next;
    if (found.size() == limit) next = std::to_string(offset + limit);
    return json_response(page_json(std::move(items), next));
}

http_response undo(const broker_call& call) {
    const auto result = call.desk().operations.undo(call.path(0), author_of(call));
    refuse_failure(result);
    // A mark may have been taken back.
    if (call.desk().rules.refresh()) call.control().push_rules();
    return json_response(json::object{{"changed", result.count}});
}

http_response list_rules(const broker_call& call) {
    json::array items;
    const auto wanted = call.query("kind");
    for (std::size_t i = 0; i < broker::rule_kinds; ++i) {
        const auto kind = static_cast<broker::rule_kind>(i);
        if (wanted && *wanted != broker::name_of(kind)) continue;
        for (const auto& [subject, value] : call.desk().rules.all(kind)) {
            if (items.size() == 1'000) break;
            json::object item = as_json(value);
            item["kind"] = json_text(broker::name_of(kind));
            item["subject"] = json_text(subject);
            items.push_back(std::move(item));
        }
    }
    json::object body = page_json(std::move(items), std::nullopt);
    body["total"] = call.desk().rules.size();
    return json_response(body);
}

http_response list_revoked(const broker_call& call) {
    json::array items;
    for (const auto kind :
         {broker::rule_kind::revoke, broker::rule_kind::revoke_task, broker::rule_kind::revoke_stamp}) {
        for (const auto& [subject, value] : call.desk().rules.all(kind)) {
            if (items.size() == 1'000) break;
            json::object item = as_json(value);
            item["kind"] = json_text(broker::name_of(kind));
            item["subject"] = json_text(subject);
            items.push_back(std::move(item));
        }
    }
    return json_response(page_json(std::move(items), std::nullopt));
}

// The lists of what was put aside, as if they were queues of an application of their own: one list each.
broker::broker_layout aside_layout(const broker_call& call, const char* what) {
    broker::broker_layout layout;
    layout.prefix = broker::own_key(std::string(what) + ":") + call.layout().prefix;
    layout.steps = {0};
    return layout;
}

// Names there are lists of: each queue with its priorities.
std::vector<std::string> aside_names(const broker_call& call, const std::optional<std::string>& queue) {
    std::vector<std::string> names;
    const auto queues = queue ? std::vector<std::string>{*queue} : call.queues();
    for (const auto& each : queues)
        for (const int step : call.layout().steps)
            names.push_back(call.layout().list_key(each, step).substr(call.layout().prefix.size()));
    return names;
}

std::string redeliveries_key(const std::string& tag) {
    return broker::own_key("redeliveries:" + tag);
}

// As they were counted when the last one was refused.
void add_redeliveries(const broker_call& call, const std::vector<listed_message>& messages,
                      json::array& items) {
    std::vector<broker::redis_command> questions;
    questions.reserve(messages.size());
    for (const auto& message : messages) questions.push_back({"GET", redeliveries_key(message.tag)});
    const auto counts = call.desk().redis.pipeline(questions);
    for (std::size_t i = 0; i < messages.size(); ++i)
        if (const auto count = std::atoll(counts[i].text.c_str()); counts[i].is_text() && count > 0)
            items[i].as_object()["redeliveries"] = count - 1;
}

http_response list_aside(const broker_call& call, const char* what) {
    const auto limit = static_cast<std::size_t>(call.number("limit", 50, 1, 500));
    const auto layout = aside_layout(call, what);
    const auto result = call.desk().inspector.search(
        layout, aside_names(call, call.query("queue")), [](const auto&) { return true; },
        call.query("cursor").value_or(""), limit);
    if (!result.error.empty()) throw api_refusal{503, "Redis: " + result.error};
    json::array items;
    for (const auto& message : result.items) {
        json::object item = message_json(call, message, body_view::decoded);
        const auto place = broker::place_of(call.layout(), call.layout().prefix + message.queue);
        item["queue"] = json_text(place ? place->queue : message.queue);
        item["priority"] = place ? place->step : 0;
        items.push_back(std::move(item));
    }
    if (what == std::string_view("dead")) add_redeliveries(call, result.items, items);
    return json_response(page_json(std::move(items), result.next));
}

// Back to the list they came from, or to another queue.
http_response requeue_aside(const broker_call& call, const char* what) {
    const auto layout = aside_layout(call, what);
    const std::string to = call.text_of("to");
    change_summary summary;
    const auto names = aside_names(call, call.path(0));
    for (const auto& message : chosen_aside(call, layout, names)) {
        if (const auto refused = refused_change(call, message)) {
            summary.add(message.tag, *refused);
            continue;
        }
        const auto place = broker::place_of(call.layout(), call.layout().prefix + message.queue);
        const int step = place ? place->step : 0;
        const std::string key = call.layout().list_key(to.empty() ? call.path(0) : to, step);
        std::string element = message.element;
        // Its deliveries are counted anew, or it would be back at once. It is marked as redelivered already.
        if (what == std::string_view("dead") && !message.tag.empty())
            (void)call.desk().redis.call({"SETEX", redeliveries_key(message.tag), "604800", "-1"});
        if (!to.empty()) {
            broker::envelope_edit edit;
            edit.exchange = "";
            edit.routing_key = to;
            element = broker::edit_envelope(element, edit).value_or(element);
        }
        summary.add(message.tag, call.desk().operations.replace(
                                     message, element, key, end_of(call, broker::queue_end::tail),
                                     std::string("requeue ") + what, author_of(call)));
    }
    return json_response(summary.as_json());
}

http_response delete_aside(const broker_call& call, const char* what) {
    const auto layout = aside_layout(call, what);
    change_summary summary;
    for (const auto& message : chosen_aside(call, layout, aside_names(call, call.path(0)))) {
        const auto refused = refused_change(call, message);
        summary.add(message.tag,
                    refused ? *refused : call.desk().operations.remove(message, author_of(call)));
    }
    return json_response(summary.as_json());
}

http_response list_dead(const broker_call& call) {
    return list_aside(call, "dead");
}
http_response list_held(const broker_call& call) {
    return list_aside(call, "held");
}
http_response requeue_dead(const broker_call& call) {
    return requeue_aside(call, "dead");
}
http_response requeue_held(const broker_call& call) {
    return requeue_aside(call, "held");
}
http_response delete_dead(const broker_call& call) {
    return delete_aside(call, "dead");
}
http_response delete_held(const broker_call& call) {
    return delete_aside(call, "held");
}

}  // namespace

void add_record_routes(http_routes& routes, broker_control& control) {
    const route_field cursor{"cursor", R"({"type":"string"})", "`next` of the page before"};
    const route_field limit{"limit", R"({"type":"integer","minimum":1,"maximum":500})", "Items at most"};
    const route_field queue{"queue", R"({"type":"string"})", "This queue only"};
    const auto get = [&](std::string_view path, std::string_view summary, broker_handler handler,
                         std::vector<route_field> query) {
        routes.add(broker_route(control, "GET", path, summary, "Page", handler, std::move(query)));
    };
    const auto post = [&](std::string_view path, std::string_view summary, broker_handler handler,
                          std::string_view body) {
        routes.add(broker_route(control, "POST", path, summary, "Change", handler, {}, body));
    };
    get("/api/v1/audit", "Who changed what, newest first", list_audit, {cursor, limit});
    get("/api/v1/trash", "What was removed and can be had back", list_trash,
        {{"cursor", R"({"type":"integer","minimum":0})", "`next` of the page before"}, limit});
    post("/api/v1/trash/{id}/undo", "Brings it back to the head of where it was", undo,
         R"({"type":"object","properties":{"reason":{"type":"string"}}})");
    get("/api/v1/rules", "What operators have ruled", list_rules,
        {{"kind", R"({"type":"string"})", "pause, drain, rate, hold, …"}});
    get("/api/v1/revoked", "Revoked ids, task names and stamps", list_revoked, {});
    get("/api/v1/dead", "Messages that were delivered too often, or nobody can read", list_dead,
        {cursor, limit, queue});
    get("/api/v1/held", "Messages that were put aside by drain or hold", list_held, {cursor, limit, queue});
    constexpr std::string_view chosen_body =
        R"({"type":"object","properties":{"tags":{"type":"array","items":{"type":"string"},)"
        R"("maxItems":10000},"expect":{"type":"integer","minimum":0},"to":{"type":"string"},)"
        R"("end":{"type":"string","enum":["head","tail"]},"task":{"type":"string"},)"
        R"("text":{"type":"string"},"id":{"type":"string"},"reason":{"type":"string"}}})";
    post("/api/v1/dead/{queue}/requeue", "Gives dead letters another chance", requeue_dead, chosen_body);
    post("/api/v1/dead/{queue}/delete", "Removes dead letters, into the trash", delete_dead, chosen_body);
    post("/api/v1/held/{queue}/requeue", "Gives back what was put aside", requeue_held, chosen_body);
    post("/api/v1/held/{queue}/delete", "Removes what was put aside, into the trash", delete_held,
         chosen_body);
}

}  // namespace sidecar
