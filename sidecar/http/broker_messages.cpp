// Messages wherever they lie: found by tag, id or text, changed one at a time; the unacknowledged ones.

#include <algorithm>

#include "broker/edit_envelope.hpp"
#include "sidecar/http/broker_changes.hpp"
#include "sidecar/http/broker_json.hpp"
#include "sidecar/http/broker_routes.hpp"

namespace sidecar {

namespace {

using broker::queue_end;

constexpr int look_again_steps_max = 12;

struct found_message {
    std::optional<listed_message> listed;
    std::optional<broker::unacked_item> unacked;
};

found_message find_message(const broker_call& call, const std::string& tag) {
    found_message found;
    found.unacked = call.desk().unacked.find(call.layout(), tag);
    if (!found.unacked) found.listed = call.desk().inspector.locate(call.layout(), tag, call.queues());
    if (!found.unacked && !found.listed) {
        // Its queue may be younger than the catalogue's last round.
        call.desk().catalog.look_again(look_again_steps_max);
        found.listed = call.desk().inspector.locate(call.layout(), tag, call.queues());
    }
    if (!found.unacked && !found.listed)
        throw api_refusal{404,
                          "no message with this tag is near the ends of a queue, in a page that was read, "
                          "or unacknowledged; GET /api/v1/messages?id= searches on"};
    return found;
}

listed_message waiting_message(const broker_call& call) {
    auto found = find_message(call, call.path(0));
    if (!found.listed) throw api_refusal{409, "a worker holds this message (unacked); restore it first"};
    return std::move(*found.listed);
}

broker::unacked_item held_message(const broker_call& call) {
    auto item = call.desk().unacked.find(call.layout(), call.path(0));
    if (!item) throw api_refusal{404, "no worker holds a message with this tag"};
    if (item->value.empty()) throw api_refusal{413, "it is larger than can be handled here"};
    return std::move(*item);
}

body_view view_of(const broker_call& call) {
    return call.flag("decode", true) ? body_view::decoded : body_view::head;
}

http_response show_message(const broker_call& call) {
    const auto found = find_message(call, call.path(0));
    if (found.unacked) {
        json::object item = unacked_json(call, *found.unacked, view_of(call));
        item["where"] = "unacked";
        return json_response(item);
    }
    json::object item = message_json(call, *found.listed, view_of(call));
    item["where"] = "queued";
    return json_response(item);
}

http_response show_raw(const broker_call& call) {
    const auto found = find_message(call, call.path(0));
    if (found.unacked && found.unacked->value.empty())
        throw api_refusal{413, "it is larger than can be handled here"};
    http_response response;
    response.content_type = "application/octet-stream";
    response.body = found.unacked ? found.unacked->value : found.listed->element;
    return response;
}

http_response search_messages(const broker_call& call) {
    json::object filter;
    for (const char* name : {"task", "id", "text"})
        if (const auto value = call.query(name); value && !value->empty()) filter[name] = *value;
    const auto wanted = filter_of(filter);
    std::vector<std::string> queues = call.queues();
    if (const auto queue = call.query("queue")) queues = {*queue};
    const auto limit = static_cast<std::size_t>(call.number("limit", 50, 1, 500));
    const std::string cursor = call.query("cursor").value_or("");
    auto result = call.desk().inspector.search(call.layout(), queues, wanted, cursor, limit);
    if (!result.error.empty()) throw api_refusal{503, "Redis: " + result.error};
    json::array items;
    for (const auto& message : result.items) items.push_back(message_json(call, message, view_of(call)));
    json::object body = page_json(std::move(items), result.next);
    body["looked_at"] = result.looked_at;
    return json_response(body);
}

http_response one_change(const change_result& result) {
    refuse_failure(result);
    json::object body{{"changed", 1}, {"marked", result.outcome == change_outcome::marked ? 1 : 0}};
    body["undo"] = result.undo.empty() ? json::value(nullptr) : json::value(json_text(result.undo));
    return json_response(body);
}

// The queue a message of `unacked` came from.
std::string home_of(const broker_call& call, const broker::unacked_entry& entry) {
    if (!entry.exchange.empty())
        for (const auto& binding : call.desk().catalog.bindings(call.layout()))
            if (binding.exchange == entry.exchange && binding.routing_key == entry.routing_key)
                return binding.queue;
    return entry.routing_key;
}

std::string home_key(const broker_call& call, const broker::unacked_entry& entry) {
    const int step = call.layout().step_of(static_cast<int>(entry.message.head.priority));
    return call.layout().list_key(home_of(call, entry), step);
}

void refuse_while_held(const broker_call& call, const std::string& tag, std::string_view what) {
    const auto owner = call.control().observer().owner_of(call.id(), tag).state;
    if (call.flag_of("force") || owner == broker::owner_state::orphan) return;
    throw api_refusal{
        409, "its worker is " +
                 std::string(owner == broker::owner_state::unknown ? "not known to be gone" : "there") +
                 ": " + std::string(what) + ", unless you say \"force\": true"};
}

http_response delete_one(const broker_call& call) {
    if (!call.desk().unacked.find(call.layout(), call.path(0)))
        return one_change(delete_message(call, waiting_message(call)));
    const auto item = held_message(call);
    const auto entry = broker::read_unacked(item.value);
    if (!entry) throw api_refusal{422, "it is not a message of kombu"};
    refuse_while_held(call, item.tag, "it goes on running it and will acknowledge nothing");
    const auto result = call.desk().operations.remove_unacked(call.layout(), {item.tag, item.value},
                                                              std::string(entry->element),
                                                              home_key(call, *entry), author_of(call));
    if (result.outcome == change_outcome::done) call.control().observer().forget_unacked(item.tag);
    return one_change(result);
}

http_response restore_one(const broker_call& call) {
    const auto item = held_message(call);
    const auto entry = broker::read_unacked(item.value);
    if (!entry) throw api_refusal{422, "it is not a message of kombu"};
    refuse_while_held(call, item.tag, "the task would run twice");
    broker::envelope_edit edit;
    edit.redelivered = true;
    // What may run twice gets a tag of its own: the first worker's acknowledgement must not meet the second.
    if (call.control().observer().owner_of(call.id(), item.tag).state != broker::owner_state::orphan)
        edit.tag = call.control().random_id();
    const auto element = broker::edit_envelope(entry->element, edit);
    if (!element) throw api_refusal{422, "it is not a message of kombu"};
    const std::string to = call.text_of("to");
    const int step = call.layout().step_of(static_cast<int>(entry->message.head.priority));
    const std::string key = to.empty() ? home_key(call, *entry) : call.layout().list_key(to, step);
    const auto result = call.desk().operations.restore_unacked(call.layout(), {item.tag, item.value},
                                                               *element, key, author_of(call));
    if (result.outcome == change_outcome::done) call.control().observer().forget_unacked(item.tag);
    return one_change(result);
}

http_response move_one(const broker_call& call) {
    const std::string target = call.text_of("to");
    if (target.empty()) throw api_refusal{400, "`to` must name a queue"};
    return one_change(move_message(call, waiting_message(call), target, call.number_of("priority"),
                                   end_of(call, queue_end::tail)));
}

http_response requeue_one(const broker_call& call) {
    if (call.desk().unacked.find(call.layout(), call.path(0))) return restore_one(call);
    const auto message = waiting_message(call);
    return one_change(move_message(call, message, message.queue, call.number_of("priority"),
                                   end_of(call, queue_end::tail)));
}

// What is kept is written back: no text of it may be shortened.
broker::decode_limits uncut() {
    broker::decode_limits limits;
    limits.values.text_bytes_max = limits.values.texts_bytes_max = limits.element_bytes_max;
    return limits;
}

// The message as the body wants it: other arguments, headers, queue, priority.
std::string edited(const broker_call& call, const listed_message& message) {
    const auto& body = call.body();
    std::string element = message.element;
    if (body.contains("args") || body.contains("kwargs")) {
        const auto old = broker::decode(element, uncut());
        if ((!old.undecoded.empty() || old.cut) && !(body.contains("args") && body.contains("kwargs")))
            throw api_refusal{422, "its body cannot be kept as it is: give both args and kwargs"};
        broker::new_call fresh;
        const auto& args = body.contains("args") ? body.at("args") : old.args;
        const auto& kwargs = body.contains("kwargs") ? body.at("kwargs") : old.kwargs;
        if (!args.is_array()) throw api_refusal{400, "args must be an array (the old ones cannot be kept)"};
        if (!kwargs.is_object())
            throw api_refusal{400, "kwargs must be an object (the old ones cannot be kept)"};
        fresh.args = args.get_array();
        fresh.kwargs = kwargs.get_object();
        fresh.embed = old.embed;
        auto replaced = broker::replace_call(element, fresh);
        if (!replaced) throw api_refusal{422, "only tasks of protocol 2 can get other arguments"};
        element = std::move(*replaced);
    }
    broker::envelope_edit edit;
    edit.tag = call.control().random_id();
    if (body.contains("priority")) edit.priority = call.number_of("priority");
    if (const std::string queue = call.text_of("to"); !queue.empty()) {
        edit.exchange = "";
        edit.routing_key = queue;
    }
    if (const auto* headers = body.if_contains("headers"); headers != nullptr) {
        if (!headers->is_object()) throw api_refusal{400, "headers must be an object"};
        for (const auto& [name, value] : headers->get_object())
            edit.headers.emplace_back(std::string(name.data(), name.size()), value);
    }
    auto result = broker::edit_envelope(element, edit);
    if (!result) throw api_refusal{422, "it is not a message of kombu"};
    return std::move(*result);
}

http_response edit_one(const broker_call& call) {
    const auto message = waiting_message(call);
    if (const auto refused = refused_change(call, message)) refuse_failure(*refused);
    const std::string element = edited(call, message);
    const std::string to = call.text_of("to");
    const auto priority = call.number_of("priority");
    const int step = priority ? call.layout().step_of(static_cast<int>(*priority)) : message.step;
    const std::string key = call.layout().list_key(to.empty() ? message.queue : to, step);
    const auto result = call.desk().operations.replace(message, element, key, end_of(call, queue_end::tail),
                                                       "edit", author_of(call));
    refuse_failure(result);
    return json_response(json::object{{"changed", 1}, {"tag", json_text(broker::tag_of(element))}});
}

http_response list_unacked(const broker_call& call) {
    const std::string cursor = call.query("cursor").value_or("");
    const auto limit = static_cast<std::size_t>(call.number("limit", 50, 1, 500));
    const std::string state = call.query("state").value_or("");
    const auto page = call.desk().unacked.page(call.layout(), cursor, limit);
    if (!page.error.empty()) throw api_refusal{503, "Redis: " + page.error};
    json::array items;
    for (const auto& each : page.items) {
        json::object item = unacked_json(call, each, view_of(call));
        const auto* found = item.if_contains("state");
        const bool fits = state.empty() ||
                          (found != nullptr && found->is_string() &&
                           std::string_view(found->get_string().data(), found->get_string().size()) == state);
        if (fits) items.push_back(std::move(item));
    }
    json::object body = page_json(std::move(items), page.next);
    body["total"] = call.desk().unacked.count(call.layout());
    return json_response(body);
}

}  // namespace

void add_message_routes(http_routes& routes, broker_control& control) {
    const route_field cursor{"cursor", R"({"type":"string"})", "`next` of the page before"};
    const route_field limit{"limit", R"({"type":"integer","minimum":1,"maximum":500})", "Items at most"};
    const route_field decode{"decode", R"({"type":"boolean"})", "false: leave bodies closed"};
    const auto get = [&](std::string_view path, std::string_view summary, std::string_view schema,
                         broker_handler handler, std::vector<route_field> query) {
        routes.add(broker_route(control, "GET", path, summary, schema, handler, std::move(query)));
    };
    get("/api/v1/messages", "Searches what waits, a bounded piece at a time", "Messages", search_messages,
        {{"id", R"({"type":"string"})", "Of the task, its root or group, or a delivery tag"},
         {"task", R"({"type":"string"})", "Name of the task"},
         {"text", R"({"type":"string"})", "Bytes of the message"},
         {"queue", R"({"type":"string"})", "This queue only"},
         cursor,
         limit,
         decode});
    get("/api/v1/messages/{tag}", "One message, waiting or unacknowledged", "Message", show_message,
        {decode});
    get("/api/v1/messages/{tag}/raw", "Its bytes as they lie in Redis", "", show_raw, {});
    get("/api/v1/unacked", "What workers hold, the oldest first", "Messages", list_unacked,
        {cursor,
         limit,
         decode,
         {"state", R"({"type":"string"})", "running, prefetched, eta, overdue, orphan"}});
    const auto post = [&](std::string_view path, std::string_view summary, broker_handler handler,
                          std::string_view body) {
        routes.add(broker_route(control, "POST", path, summary, "Change", handler, {}, body));
    };
    constexpr std::string_view force_body =
        R"({"type":"object","properties":{"force":{"type":"boolean"},"to":{"type":"string"},)"
        R"("reason":{"type":"string"}}})";
    constexpr std::string_view move_body =
        R"({"type":"object","properties":{"to":{"type":"string"},"end":{"type":"string",)"
        R"("enum":["head","tail"]},"priority":{"type":"integer","minimum":0,"maximum":9},)"
        R"("force":{"type":"boolean"},"reason":{"type":"string"}}})";
    post("/api/v1/messages/{tag}/delete", "Removes it, into the trash", delete_one, force_body);
    post("/api/v1/messages/{tag}/move", "Moves it to another queue", move_one, move_body);
    post("/api/v1/messages/{tag}/requeue", "Moves it to an end of its queue; an unacked one is restored",
         requeue_one, move_body);
    post("/api/v1/messages/{tag}/edit", "Replaces it by an edited message with a tag of its own", edit_one,
         R"({"type":"object","properties":{"args":{"type":"array"},"kwargs":{"type":"object"},)"
         R"("headers":{"type":"object"},"to":{"type":"string"},"end":{"type":"string",)"
         R"("enum":["head","tail"]},"priority":{"type":"integer","minimum":0,"maximum":9},)"
         R"("reason":{"type":"string"}}})");
    post("/api/v1/messages/{tag}/restore", "Takes it from its worker and puts it to the head of its queue",
         restore_one, force_body);
}

}  // namespace sidecar
