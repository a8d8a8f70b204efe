#pragma once
// Who may do what over HTTP. Without a token, what listens on loopback only may read and write, but pages of
// other origins and rebound names may not use a browser as their tunnel; what listens elsewhere serves health
// and metrics. With any token configured, everything but health needs one.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sidecar/config/config.hpp"
#include "sidecar/http/message.hpp"

namespace sidecar {

enum class route_access : std::uint8_t {
    health,   // anyone, always
    metrics,  // anyone while no token is configured
    read,
    change,  // the operator's token where any is configured
};

class access_rules {
public:
    explicit access_rules(const endpoint& listen) : loopback_(is_loopback(listen)) {}

    void set_tokens(std::string_view token, std::string_view operator_token);

    // nullopt = go on; else the refusal to send.
    [[nodiscard]] std::optional<http_response> check(const http_request& request, route_access wanted) const;

    // As whom a request that was let in comes: "operator", "viewer", or "local" where no token is configured.
    [[nodiscard]] std::string_view caller(const http_request& request) const;

private:
    [[nodiscard]] std::optional<http_response> check_origin(const http_request& request) const;
    [[nodiscard]] std::optional<http_response> check_token(const http_request& request,
                                                           route_access wanted) const;
    [[nodiscard]] bool any_token() const { return !token_hash_.empty() || !operator_hash_.empty(); }

    bool loopback_;
    std::string token_hash_;  // SHA-256: comparing hashes hides the length too; empty = not configured
    std::string operator_hash_;
};

// The host of "name:port", "[::1]:port" or "name", lower case, without brackets.
[[nodiscard]] std::string host_of(std::string_view authority);

}  // namespace sidecar
