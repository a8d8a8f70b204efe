#pragma once
// One element of a queue's list, decoded for people: who it is, and what it carries.
//
// Whatever the element holds, the answer is bounded by decode_limits and nothing is thrown or executed. What
// cannot be decoded says why, and shows the texts that the producer wrote beside the body (argsrepr).

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/envelope.hpp"
#include "broker/typed_value.hpp"

namespace broker {

struct decode_limits {
    std::size_t element_bytes_max = std::size_t{16} << 20;  // of larger ones only the head is read
    std::size_t body_bytes_max = std::size_t{8} << 20;      // decompressed
    value_limits values;
};

// Opens as much, but shortens nothing: for what is written back.
[[nodiscard]] decode_limits uncut_limits();

enum class message_kind : std::uint8_t {
    foreign,    // not kombu's
    task,       // protocol 2: the headers name it
    task_v1,    // protocol 1: the body names it
    other,      // kombu's, but no task: an event, a reply, another application's
    head_only,  // too large to be opened
};

struct decoded_message {
    message_kind kind = message_kind::foreign;
    message_head head;
    std::uint64_t size_bytes = 0;
    std::uint64_t body_bytes = 0;   // as sent (after base64); 0 when not read
    std::uint64_t plain_bytes = 0;  // after decompression
    std::optional<std::int64_t> eta_us;
    std::optional<std::int64_t> expires_us;
    boost::json::value headers;  // null when they are not JSON that can be shown
    boost::json::value properties;
    boost::json::value args;    // of tasks
    boost::json::value kwargs;  // of tasks
    boost::json::value embed;   // of tasks: callbacks, errbacks, chain, chord
    boost::json::value body;    // of anything else
    std::string undecoded;      // why args, kwargs and body are not there; empty when they are
    bool cut = false;           // some texts were shortened

    [[nodiscard]] bool is_task() const { return kind == message_kind::task || kind == message_kind::task_v1; }
};

// An element of a list, or the message of a value of `unacked`.
[[nodiscard]] decoded_message decode(std::string_view element, const decode_limits& limits = {});

// One of `size` bytes of which only the end is at hand.
[[nodiscard]] decoded_message decode_end(std::string_view end, std::uint64_t size);

// A task of protocol 1 names itself in its body, which is opened for that, whole: its head is then complete.
// Any other message's stays as it is, and so does one that limits forbid to open.
void complete_head(message_head& head, std::string_view element, const decode_limits& limits);

// A body alone, as far as its envelope describes it.
struct body_description {
    std::string_view encoding;     // properties.body_encoding
    std::string_view compression;  // headers.compression
    std::string_view content_type;
    std::string_view content_encoding;
};
struct decoded_body {
    decoded_value content;
    std::uint64_t body_bytes = 0;
    std::uint64_t plain_bytes = 0;
};
// `raw` is the JSON string of the body without its quotes.
[[nodiscard]] decoded_body decode_body(std::string_view raw, const body_description& how,
                                       const decode_limits& limits);

// The value that bytes of this content type stand for.
[[nodiscard]] decoded_value read_content(std::string_view bytes, std::string_view content_type,
                                         std::string_view content_encoding, const value_limits& limits);

[[nodiscard]] std::string_view kind_name(message_kind kind);

// As the API shows it. Fields that the message does not have are null, so that the form is always the same.
[[nodiscard]] boost::json::object as_json(const decoded_message& message);

}  // namespace broker
