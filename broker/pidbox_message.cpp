#include "broker/pidbox_message.hpp"

#include <boost/json/serialize.hpp>

#include "broker/base64.hpp"
#include "broker/kombu_names.hpp"

namespace broker {

namespace json = boost::json;

namespace {

json::value text_or_null(const std::string& text) {
    return text.empty() ? json::value() : json::value(json::string(text));
}

json::object body_of(const pidbox_request& request) {
    json::object body;
    body["method"] = json::string(request.method);
    body["arguments"] = request.arguments;
    body["destination"] = nullptr;
    if (!request.destination.empty())
        body["destination"] = json::array(request.destination.begin(), request.destination.end());
    body["pattern"] = text_or_null(request.pattern);
    body["matcher"] = text_or_null(request.matcher);
    if (request.ticket.empty()) return body;
    body["ticket"] = json::string(request.ticket);
    body["reply_to"] = json::object{{"exchange", json::string(pidbox_reply_exchange)},
                                    {"routing_key", json::string(request.reply_oid)}};
    return body;
}

std::string text(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

std::string pidbox_payload(const pidbox_request& request) {
    json::object headers{{"clock", 1}, {"expires", nullptr}};
    if (request.expires_s > 0) headers["expires"] = request.expires_s;
    const json::object properties{
        {"delivery_mode", 2},
        {"delivery_info", {{"exchange", json::string(pidbox_exchange)}, {"routing_key", ""}}},
        {"priority", 0},
        {"body_encoding", "base64"},
        {"delivery_tag", json::string(request.tag)}};
    return json::serialize(
        json::object{{"body", json::string(base64_encode(json::serialize(body_of(request))))},
                     {"content-encoding", "utf-8"},
                     {"content-type", "application/json"},
                     {"headers", std::move(headers)},
                     {"properties", properties}});
}

std::optional<pidbox_request> read_pidbox_request(std::string_view payload) {
    const decoded_message message = decode(payload);
    const auto* body = message.body.if_object();
    if (body == nullptr) return std::nullopt;
    pidbox_request out;
    out.method = text(*body, "method");
    if (out.method.empty()) return std::nullopt;
    out.tag = message.head.tag;
    out.ticket = text(*body, "ticket");
    out.pattern = text(*body, "pattern");
    out.matcher = text(*body, "matcher");
    if (const auto* arguments = body->if_contains("arguments");
        arguments != nullptr && arguments->is_object())
        out.arguments = arguments->get_object();
    if (const auto* names = body->if_contains("destination"); names != nullptr && names->is_array())
        for (const auto& name : names->get_array())
            if (name.is_string()) out.destination.emplace_back(name.get_string());
    if (const auto* reply = body->if_contains("reply_to"); reply != nullptr && reply->is_object())
        out.reply_oid = text(reply->get_object(), "routing_key");
    if (const auto* headers = message.headers.if_object())
        if (const auto* expires = headers->if_contains("expires"); expires != nullptr && expires->is_number())
            out.expires_s = expires->to_number<double>();
    return out;
}

std::optional<pidbox_reply> read_pidbox_reply(std::string_view element, const decode_limits& limits) {
    decoded_message message = decode(element, limits);
    auto* body = message.body.if_object();
    if (body == nullptr || body->size() != 1) return std::nullopt;
    auto& only = *body->begin();
    return pidbox_reply{message.head.ticket, std::string(only.key()), std::move(only.value())};
}

std::string pidbox_reply_queue(std::string_view oid) {
    return std::string(oid).append(".").append(pidbox_reply_exchange);
}

std::string pidbox_reply_binding(std::string_view oid) {
    const std::string queue = pidbox_reply_queue(oid);
    return binding_member({oid, {}, queue});
}

}  // namespace broker
