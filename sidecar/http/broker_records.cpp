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

// Lists the sidecar keeps per queue: "dead" and "held".
std::vector<std::string> queues_put_aside(const broker_call& call, std::string_view what) {
    std::vector<redis_key_length> found;
    std::vector<std::string> queues;
    const auto names = call.queues();
    std::vector<broker::redis_command> questions;
    for (const auto& queue : names)
        questions.push_back({"LLEN", broker::own_key(std::string(what) + ":" + call.layout().prefix + queue)});
    const auto lengths = call.desk().redis.pipeline(questions);
    for (std::size_t i = 0; i < names.size(); ++i)
        if (lengths[i].integer > 0) queues.push_back(names[i]);
    return queues;
}

}  // namespace

}  // namespace sidecar
