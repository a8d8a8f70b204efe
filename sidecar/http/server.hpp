#pragma once
// The HTTP server of the control plane: one thread, its own io_context, apart from the shards. What is
// answered and to whom is decided in routes.hpp; here are sockets, limits and time-outs only.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "sidecar/config/config.hpp"
#include "sidecar/http/backend.hpp"

namespace sidecar {

struct http_limits {
    std::uint32_t header_bytes_max = 16U << 10;
    std::uint64_t body_bytes_max = 1ULL << 20;
    std::uint32_t connections_max = 256;  // further ones are answered 503 and closed
    std::uint32_t request_timeout_ms = 10'000;
    std::uint32_t idle_timeout_ms = 60'000;
    std::uint32_t control_timeout_ms = 30'000;  // of an answer made on the control thread
    std::uint32_t event_pause_ms_max = 15'000;  // without a word to a reader of events
};

struct http_settings {
    endpoint listen;  // empty host = no HTTP at all
    std::string token;
    std::string operator_token;
    http_limits limits;
};

class http_server {
public:
    http_server(http_settings settings, http_backend backend);
    ~http_server();  // stops
    http_server(const http_server&) = delete;
    http_server& operator=(const http_server&) = delete;

    // Binds and starts the thread. The error names the address. nullopt = serving (or off).
    [[nodiscard]] std::optional<std::string> start();
    // Where it listens, with the port the kernel chose; valid after start().
    [[nodiscard]] endpoint local_endpoint() const;
    // New tokens (reload); applies to requests that come after.
    void set_tokens(std::string token, std::string operator_token);
    // Closes what is open and joins the thread; may be called more than once.
    void stop();

private:
    class state;
    std::unique_ptr<state> state_;
};

}  // namespace sidecar
