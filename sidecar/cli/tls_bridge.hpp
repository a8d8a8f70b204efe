#pragma once
// TLS for a client library that has none: one end of a socket pair speaks plain Redis, a thread carries the
// bytes to and from the TLS connection.

#include <chrono>
#include <memory>
#include <string>
#include <variant>

#include "sidecar/config/config.hpp"

namespace sidecar {

class tls_bridge {
public:
    // Connects, shakes hands and verifies certificate and host name; the text says what went wrong.
    [[nodiscard]] static std::variant<std::unique_ptr<tls_bridge>, std::string> open(
        const redis_url& url, const std::string& ca_file, std::chrono::milliseconds timeout);

    ~tls_bridge();  // ends the thread and closes
    tls_bridge(const tls_bridge&) = delete;
    tls_bridge& operator=(const tls_bridge&) = delete;

    // The plain end; the caller owns it from now on and closes it before the bridge ends.
    [[nodiscard]] int take_descriptor();

private:
    class connection;
    explicit tls_bridge(std::unique_ptr<connection> made);
    std::unique_ptr<connection> connection_;
};

}  // namespace sidecar
