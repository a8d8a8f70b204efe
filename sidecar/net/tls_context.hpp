#pragma once
#include <memory>
#include <string>

#include "sidecar/config/config.hpp"

using SSL = struct ssl_st;
using SSL_CTX = struct ssl_ctx_st;

namespace sidecar {

// Certificates and rules for TLS, towards clients or upstream. Shared by the shards: OpenSSL counts
// references itself.
class tls_context {
public:
    // Both throw std::runtime_error with one line that names the setting and the file.
    static std::shared_ptr<tls_context> for_clients(const tls_settings& settings);
    static std::shared_ptr<tls_context> for_upstream(const tls_settings& settings);
    ~tls_context();
    tls_context(const tls_context&) = delete;
    tls_context& operator=(const tls_context&) = delete;

    [[nodiscard]] SSL* accept_side() const;
    // The certificate must be for `host`.
    [[nodiscard]] SSL* connect_side(const std::string& host) const;

private:
    explicit tls_context(SSL_CTX* context) : context_(context) {}
    SSL_CTX* context_;
};

}  // namespace sidecar
