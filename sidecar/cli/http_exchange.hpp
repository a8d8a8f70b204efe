#pragma once
// The bytes under api_client: a request and its answer over TCP or TLS, with a deadline for each step.

#include <functional>
#include <string>
#include <string_view>

#include "sidecar/cli/api_client.hpp"

namespace sidecar {

struct http_text {
    unsigned status = 0;
    bool json = false;
    std::string body;
};

// Fails with a command_failure that says what could not be done and where.
[[nodiscard]] http_text http_exchange(const api_target& target, std::string_view method,
                                      const std::string& path, const std::string& body);

// Hands over the body as it comes, without an end of its own. Returns a refusal with its body, or status 200
// when either side has enough. The deadline holds for the head; a server that says nothing for
// `silence_max` is gone, as it sends comments in between.
[[nodiscard]] http_text http_stream(const api_target& target, const std::string& path,
                                    const std::function<stream_step(std::string_view)>& on_bytes);

// text/event-stream, cut anywhere.
class event_parser {
public:
    void feed(std::string_view bytes);
    // False: nothing whole is left.
    [[nodiscard]] bool next(server_event& event);

private:
    std::string waiting_;
};

}  // namespace sidecar
