#include "broker/decode.hpp"

#include <algorithm>

#include "broker/glance.hpp"
#include "broker/iso_time.hpp"
#include "broker/json_reader.hpp"

namespace broker {

namespace json = boost::json;

namespace {

json::value shown(std::string_view text, const value_limits& limits) {
    auto read = read_json(text, limits);
    return read.ok() ? std::move(read.value) : json::value();
}

// A text, also of a typed value: an eta is a datetime in pickle and yaml.
std::string text_member(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    std::string_view type;
    if (value != nullptr)
        if (const auto* content = typed_content(*value, type)) value = content;
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

json::value taken(json::object& object, std::string_view name) {
    auto* value = object.if_contains(name);
    return value == nullptr ? json::value() : std::move(*value);
}

// [args, kwargs, embed]. A producer that sends something else gets it shown as the body.
void place_v2(decoded_message& message, json::value content) {
    auto* parts = content.if_array();
    if (parts == nullptr || parts->size() != 3 || !(*parts)[0].is_array()) {
        message.undecoded = "the body is not [args, kwargs, embed]";
        message.body = std::move(content);
        return;
    }
    message.args = std::move((*parts)[0]);
    message.kwargs = std::move((*parts)[1]);
    message.embed = std::move((*parts)[2]);
}

bool is_v1(const json::value& content) {
    const auto* members = content.if_object();
    if (members == nullptr) return false;
    const auto* task = members->if_contains("task");
    const auto* id = members->if_contains("id");
    return task != nullptr && task->is_string() && id != nullptr && id->is_string();
}

void place_v1(decoded_message& message, json::object body) {
    message_head& head = message.head;
    message.kind = message_kind::task_v1;
    head.task = text_member(body, "task");
    head.id = text_member(body, "id");
    head.eta = text_member(body, "eta");
    head.expires = text_member(body, "expires");
    head.group_id = text_member(body, "taskset");
    if (auto group = text_member(body, "group"); !group.empty()) head.group_id = std::move(group);
    if (const auto* retries = body.if_contains("retries"); retries != nullptr && retries->is_int64())
        head.retries = retries->get_int64();
    message.args = taken(body, "args");
    message.kwargs = taken(body, "kwargs");
    json::object embed;
    for (const std::string_view name : {"callbacks", "errbacks", "chain", "chord"})
        embed.emplace(name, taken(body, name));
    message.embed = std::move(embed);
}

std::optional<std::int64_t> time_of(std::string_view text) {
    return text.empty() ? std::nullopt : parse_iso_time_us(text);
}

void read_head_only(decoded_message& message, std::string_view end) {
    const auto tail = end.substr(end.size() - std::min(end.size(), glance_tail_bytes));
    auto glanced = glance(tail, message.size_bytes);
    if (!glanced) {
        message.undecoded = "not a kombu message, or its end tells nothing";
        return;
    }
    message.kind = message_kind::head_only;
    message.head = std::move(glanced->head);
    message.undecoded = "larger than can be opened";
}

void open_body(decoded_message& message, std::string_view raw, const decode_limits& limits) {
    const message_head& head = message.head;
    decoded_body body = decode_body(
        raw, {head.body_encoding, head.compression, head.content_type, head.content_encoding}, limits);
    message.body_bytes = body.body_bytes;
    message.plain_bytes = body.plain_bytes;
    message.undecoded = std::move(body.content.error);
    message.cut = body.content.cut;
    if (!message.undecoded.empty()) return;
    if (message.kind == message_kind::task) return place_v2(message, std::move(body.content.value));
    if (is_v1(body.content.value)) return place_v1(message, std::move(body.content.value.get_object()));
    message.body = std::move(body.content.value);
}

json::value text_or_null(std::string_view text) {
    return text.empty() ? json::value() : json::value(json::string(text));
}

json::value seconds_or_null(const std::optional<double>& seconds) {
    return seconds ? json::value(*seconds) : json::value();
}

json::value time_or_null(const std::optional<std::int64_t>& us) {
    return us ? json::value(iso_time(*us)) : json::value();
}

json::object stamps_of(const message_head& head) {
    json::object stamps;
    for (const auto& each : head.stamps)
        stamps[each.name] = json::array(each.values.begin(), each.values.end());
    return stamps;
}

}  // namespace

decode_limits uncut_limits() {
    decode_limits limits;
    limits.values.text_bytes_max = limits.body_bytes_max;
    // Escapes and base64 of a body are longer than itself.
    limits.values.texts_bytes_max = 2 * limits.body_bytes_max;
    return limits;
}

decoded_message decode(std::string_view element, const decode_limits& limits) {
    decoded_message message;
    message.size_bytes = element.size();
    if (element.size() > limits.element_bytes_max) {
        read_head_only(message, element);
    } else if (auto whole = read_envelope(element)) {
        message.head = std::move(whole->head);
        message.kind = message.head.task.empty() ? message_kind::other : message_kind::task;
        message.headers = shown(whole->headers, limits.values);
        message.properties = shown(whole->properties, limits.values);
        open_body(message, whole->body, limits);
    } else {
        message.undecoded = "not a kombu message";
    }
    message.eta_us = time_of(message.head.eta);
    message.expires_us = time_of(message.head.expires);
    return message;
}

decoded_message decode_end(std::string_view end, std::uint64_t size) {
    decoded_message message;
    message.size_bytes = size;
    read_head_only(message, end);
    message.eta_us = time_of(message.head.eta);
    message.expires_us = time_of(message.head.expires);
    return message;
}

void complete_head(message_head& head, std::string_view element, const decode_limits& limits) {
    if (!head.task.empty() || element.size() > limits.element_bytes_max) return;
    auto message = decode(element, limits);
    if (message.kind == message_kind::task_v1) head = std::move(message.head);
}

std::string_view kind_name(message_kind kind) {
    switch (kind) {
        case message_kind::foreign:
            break;
        case message_kind::task:
        case message_kind::task_v1:
            return "task";
        case message_kind::other:
            return "message";
        case message_kind::head_only:
            return "large";
    }
    return "foreign";
}

json::object as_json(const decoded_message& message) {
    const message_head& head = message.head;
    const bool task = message.is_task();
    json::object out;
    out["kind"] = json::string(kind_name(message.kind));
    out["protocol"] = task ? json::value(message.kind == message_kind::task ? 2 : 1) : json::value();
    out["tag"] = text_or_null(head.tag);
    out["id"] = text_or_null(head.id);
    out["task"] = text_or_null(head.task);
    out["args"] = message.args;
    out["kwargs"] = message.kwargs;
    out["argsrepr"] = text_or_null(head.argsrepr);
    out["kwargsrepr"] = text_or_null(head.kwargsrepr);
    out["embed"] = message.embed;
    out["body"] = message.body;
    out["undecoded"] = text_or_null(message.undecoded);
    out["cut"] = message.cut;
    out["retries"] = head.retries;
    out["eta"] = time_or_null(message.eta_us);
    out["expires"] = time_or_null(message.expires_us);
    out["priority"] = head.priority;
    out["redelivered"] = head.redelivered;
    out["exchange"] = json::string(head.exchange);
    out["routing_key"] = json::string(head.routing_key);
    out["root_id"] = text_or_null(head.root_id);
    out["parent_id"] = text_or_null(head.parent_id);
    out["group_id"] = text_or_null(head.group_id);
    out["group_index"] = head.group_index ? json::value(*head.group_index) : json::value();
    out["timelimit"] = {seconds_or_null(head.limits.hard_s), seconds_or_null(head.limits.soft_s)};
    out["origin"] = text_or_null(head.origin);
    out["reply_to"] = text_or_null(head.reply_to);
    out["stamps"] = stamps_of(head);
    out["content_type"] = text_or_null(head.content_type);
    out["content_encoding"] = text_or_null(head.content_encoding);
    out["compression"] = text_or_null(head.compression);
    out["size_bytes"] = message.size_bytes;
    out["body_bytes"] = message.body_bytes;
    out["plain_bytes"] = message.plain_bytes;
    out["headers"] = message.headers;
    out["properties"] = message.properties;
    return out;
}

}  // namespace broker
