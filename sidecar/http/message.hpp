#pragma once
// A request and its answer as plain values, apart from any socket.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sidecar {

class event_queue;

struct http_request {  // views are valid while the request is answered
    std::string_view method;
    std::string_view target;  // "/path?query"
    std::string_view host;
    std::string_view origin;
    std::string_view authorization;
    std::string_view body;
    std::string_view content_type{};
    std::string_view remote{};         // "127.0.0.1:52100"
    std::string_view last_event_id{};  // of a reader of events that comes back
};

struct http_response {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    std::shared_ptr<event_queue> events{};  // set: the answer goes on with these until the client leaves
};

[[nodiscard]] std::string_view reason_phrase(unsigned status);

// application/problem+json (RFC 9457) with a title that fits the status.
[[nodiscard]] http_response problem(unsigned status, std::string_view detail);

}  // namespace sidecar
