#include "broker/celery_event.hpp"

#include <cmath>
#include <utility>

namespace broker {

namespace json = boost::json;

namespace {

constexpr std::size_t events_max = 10'000;

std::optional<celery_event> event_from(json::value& value) {
    auto* fields = value.if_object();
    if (fields == nullptr) return std::nullopt;
    celery_event out;
    out.fields = std::move(*fields);
    out.type = out.text("type");
    if (out.type.empty()) return std::nullopt;
    out.hostname = out.text("hostname");
    out.uuid = out.text("uuid");
    out.timestamp_s = out.real("timestamp");
    out.utcoffset_h = out.whole("utcoffset").value_or(0);
    out.pid = out.whole("pid").value_or(0);
    out.clock = out.whole("clock").value_or(0);
    return out;
}

}  // namespace

std::string celery_event::text(std::string_view field) const {
    const auto* value = fields.if_contains(field);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<std::int64_t> celery_event::whole(std::string_view field) const {
    const auto* value = fields.if_contains(field);
    if (value == nullptr) return std::nullopt;
    if (value->is_int64()) return value->get_int64();
    // utcoffset is written as 0.0.
    constexpr double most = 9e15;
    if (value->is_double() && std::abs(value->get_double()) < most)
        return static_cast<std::int64_t>(value->get_double());
    return std::nullopt;
}

std::optional<double> celery_event::real(std::string_view field) const {
    const auto* value = fields.if_contains(field);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    return value->to_number<double>();
}

read_events_result read_events(std::string_view payload, const decode_limits& limits) {
    read_events_result out;
    decoded_message message = decode(payload, limits);
    out.error = message.undecoded;
    if (!out.error.empty()) return out;
    auto* list = message.body.if_array();
    json::array alone;
    if (list == nullptr) {
        alone.push_back(std::move(message.body));
        list = &alone;
    }
    for (auto& item : *list) {
        auto event = out.events.size() < events_max ? event_from(item) : std::nullopt;
        if (event)
            out.events.push_back(std::move(*event));
        else
            out.error = "not an event";
    }
    return out;
}

}  // namespace broker
