#pragma once
// What workers and producers publish about themselves: one event, or, from prefork workers, a list of them.

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/decode.hpp"

namespace broker {

struct celery_event {
    std::string type;                   // task-received, worker-heartbeat, …
    std::string hostname;               // of the worker, or of the producer of task-sent
    std::string uuid;                   // of task events
    std::optional<double> timestamp_s;  // the sender's clock
    std::int64_t utcoffset_h = 0;
    std::int64_t pid = 0;
    std::int64_t clock = 0;      // Lamport's
    boost::json::object fields;  // all of it, these included

    [[nodiscard]] bool is_task() const { return type.starts_with("task-"); }
    [[nodiscard]] std::string text(std::string_view field) const;
    [[nodiscard]] std::optional<std::int64_t> whole(std::string_view field) const;
    [[nodiscard]] std::optional<double> real(std::string_view field) const;
};

struct read_events_result {
    std::vector<celery_event> events;
    std::string error;  // why there are none, or not all
};
// The payload of a PUBLISH to celeryev. Everything of an event is bounded by the limits.
[[nodiscard]] read_events_result read_events(std::string_view payload, const decode_limits& limits = {});

}  // namespace broker
