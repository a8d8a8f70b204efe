#pragma once
// The outside of a kombu message: one JSON object of body, content type, headers and properties. The body is
// not opened here (body.hpp does).
//
// An envelope's views point into the element it was read from; its head owns its texts. Members may come in
// any order; fields of an unexpected type are taken as absent. Nothing throws.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace broker {

struct stamp {
    std::string name;
    std::vector<std::string> values;
};

struct time_limits {
    std::optional<double> hard_s;
    std::optional<double> soft_s;
};

// What headers and properties say. Texts are empty where the message does not have them.
struct message_head {
    std::string tag;   // properties.delivery_tag: stays over redeliveries, new with each publish
    std::string id;    // headers.id; correlation_id where there is none (protocol 1)
    std::string task;  // empty for protocol 1 (its body names it) and for what is no task
    std::string root_id;
    std::string parent_id;
    std::string group_id;
    std::string origin;
    std::string shadow;
    std::string eta;      // ISO 8601
    std::string expires;  // ISO 8601
    std::string argsrepr;
    std::string kwargsrepr;
    std::string correlation_id;
    std::string reply_to;
    std::string exchange;
    std::string routing_key;
    std::string content_type;
    std::string content_encoding;
    std::string compression;
    std::string body_encoding;
    std::string hostname;  // of events
    std::string ticket;    // of pidbox replies
    std::vector<stamp> stamps;
    std::optional<std::int64_t> group_index;
    time_limits limits;
    std::int64_t retries = 0;
    std::int64_t priority = 0;
    bool redelivered = false;
    bool ignore_result = false;
};

struct envelope {
    message_head head;
    std::string_view body;        // as it stands between its quotes, escapes included
    std::string_view headers;     // JSON text; empty when absent
    std::string_view properties;  // JSON text
};

// nullopt when it is not JSON, or not kombu's: an object with `body` and `properties.delivery_tag`.
[[nodiscard]] std::optional<envelope> read_envelope(std::string_view element);

// The head alone, of an object that may have lost its body, or of an array that begins with one.
[[nodiscard]] std::optional<message_head> read_head(std::string_view text);

// A value of the hash `unacked`: [message, exchange, routing_key].
struct unacked_entry {
    envelope message;
    std::string_view element;  // the message's own JSON text
    std::string exchange;
    std::string routing_key;
};
[[nodiscard]] std::optional<unacked_entry> read_unacked(std::string_view value);

// The JSON text of one member of an object, e.g. of `headers`; empty when absent or not an object.
[[nodiscard]] std::string_view member(std::string_view object, std::string_view name);

}  // namespace broker
