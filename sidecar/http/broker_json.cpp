#include "sidecar/http/broker_json.hpp"

#include "broker/glance.hpp"

namespace sidecar {

namespace {

// Of what is read without its body, in the names that as_json uses.
json::object head_json(std::string_view element, std::uint64_t size) {
    const bool long_one = element.size() > broker::glance_whole_max;
    const auto tail = long_one ? element.substr(element.size() - broker::glance_tail_bytes) : element;
    const auto seen = broker::glance(tail, size);
    json::object item;
    if (!seen) return item;
    const auto& head = seen->head;
    const auto text = [&](std::string_view name, const std::string& value) {
        item[json::string_view(name.data(), name.size())] =
            value.empty() ? json::value(nullptr) : json::value(json_text(value));
    };
    text("tag", head.tag);
    text("id", head.id);
    text("task", head.task);
    text("root_id", head.root_id);
    text("parent_id", head.parent_id);
    text("group_id", head.group_id);
    text("eta", head.eta);
    text("expires", head.expires);
    text("argsrepr", head.argsrepr);
    text("kwargsrepr", head.kwargsrepr);
    text("origin", head.origin);
    text("content_type", head.content_type);
    item["retries"] = head.retries;
    item["redelivered"] = head.redelivered;
    return item;
}

// What was seen of it on its way: unknown where it was not.
void add_age(const broker_call& call, json::object& item) {
    const auto* tag = item.if_contains("tag");
    if (tag == nullptr || !tag->is_string()) return;
    const std::string_view text(tag->get_string().data(), tag->get_string().size());
    const auto& observer = call.control().observer();
    const auto at = observer.enqueued_at_us(text);
    item["enqueued_at"] = at ? json::value(static_cast<double>(*at) / 1e6) : json::value(nullptr);
    item["age_seconds"] =
        at ? json::value(static_cast<double>(call.control().now_us() - *at) / 1e6) : json::value(nullptr);
    item["redeliveries"] = observer.redeliveries(text);
}

}  // namespace

json::value next_json(const std::optional<std::string>& next) {
    return next ? json::value(json_text(*next)) : json::value(nullptr);
}

json::object page_json(json::array items, const std::optional<std::string>& next) {
    json::object body{{"items", std::move(items)}};
    body["next"] = next_json(next);
    return body;
}

namespace {

// With the secrets masked, and what was seen of the message.
json::object shown_json(const broker_call& call, json::value shown, std::uint64_t size) {
    const auto& mask = call.control().mask();
    mask.apply(shown);
    json::object item = std::move(shown.get_object());
    for (const char* repr : {"argsrepr", "kwargsrepr"})
        if (const auto* text = item.if_contains(repr); text != nullptr && text->is_string())
            item[repr] =
                json_text(mask.apply_to_repr({text->get_string().data(), text->get_string().size()}));
    if (!item.contains("tag")) item["tag"] = nullptr;
    item["size_bytes"] = size;
    add_age(call, item);
    return item;
}

}  // namespace

json::object message_json(const broker_call& call, std::string_view element, std::uint64_t size,
                          body_view view) {
    return shown_json(
        call,
        view == body_view::decoded ? as_json(broker::decode(element)) : head_json(element, element.size()),
        size);
}

json::object message_json(const broker_call& call, const broker::listed_message& message, body_view view) {
    json::object item;
    if (message.whole())
        item = message_json(call, message.element, message.size, view);
    else if (view == body_view::decoded)
        item = shown_json(call, as_json(broker::decode_end(message.element, message.size)), message.size);
    else
        item = shown_json(call, head_json(message.element, message.size), message.size);
    item["queue"] = json_text(message.queue);
    item["priority"] = message.step;
    item["position"] = message.position;
    return item;
}

json::object unacked_json(const broker_call& call, const broker::unacked_item& item, body_view view) {
    json::object shown;
    if (const auto entry = broker::read_unacked(item.value); entry && !item.value.empty()) {
        shown = message_json(call, entry->element, item.size, view);
        shown["exchange"] = json_text(entry->exchange);
        shown["queue"] = json_text(entry->routing_key);
    }
    shown["tag"] = json_text(item.tag);
    shown["size_bytes"] = item.size;
    shown["taken_at"] = item.taken_at;
    const auto& observer = call.control().observer();
    const double now = static_cast<double>(call.control().now_us()) / 1e6;
    const auto owner = observer.owner_of(call.id(), item.tag);
    shown["state"] = json_text(broker::to_text(observer.state_of(call.id(), item.tag)));
    shown["owner"] = json::object{{"state", json_text(broker::to_text(owner.state))},
                                  {"node", json_text(owner.node)},
                                  {"address", json_text(owner.address)}};
    shown["taken_seconds"] = now - item.taken_at;
    const auto timeout = observer.visibility_timeout_s(call.id());
    shown["redelivered_in_seconds"] =
        timeout ? json::value(item.taken_at + *timeout - now) : json::value(nullptr);
    return shown;
}

}  // namespace sidecar
