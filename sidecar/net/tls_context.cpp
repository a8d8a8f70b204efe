#include "sidecar/net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <stdexcept>

namespace sidecar {

namespace {

[[noreturn]] void fail(const std::string& setting, const std::string& file) {
    std::array<char, 256> text{};
    ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
    throw std::runtime_error(setting + " '" + file + "' cannot be used: " + text.data());
}

void load_authority(SSL_CTX* context, const std::string& file) {
    if (SSL_CTX_load_verify_locations(context, file.c_str(), nullptr) != 1) fail("--tls-ca", file);
}

void load_identity(SSL_CTX* context, const tls_settings& settings) {
    if (SSL_CTX_use_certificate_chain_file(context, settings.certificate_file.c_str()) != 1)
        fail("--tls-cert", settings.certificate_file);
    if (SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        fail("--tls-key", settings.key_file);
    if (SSL_CTX_check_private_key(context) != 1) fail("--tls-key", settings.key_file);
}

SSL_CTX* make(const SSL_METHOD* method) {
    SSL_CTX* context = SSL_CTX_new(method);
    if (context == nullptr) throw std::runtime_error("TLS cannot be initialised");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    // Writes may be partial and come from another place when tried again: output moves while it waits.
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    return context;
}

}  // namespace

tls_context::~tls_context() {
    SSL_CTX_free(context_);
}

std::shared_ptr<tls_context> tls_context::for_clients(const tls_settings& settings) {
    auto result = std::shared_ptr<tls_context>(new tls_context(make(TLS_server_method())));
    load_identity(result->context_, settings);
    static constexpr unsigned char session_name[] = "sidecar";
    SSL_CTX_set_session_id_context(result->context_, session_name, sizeof session_name - 1);
    if (!settings.ca_file.empty()) {
        load_authority(result->context_, settings.ca_file);
        SSL_CTX_set_verify(result->context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    return result;
}

std::shared_ptr<tls_context> tls_context::for_upstream(const tls_settings& settings) {
    auto result = std::shared_ptr<tls_context>(new tls_context(make(TLS_client_method())));
    if (settings.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(result->context_);
    } else {
        load_authority(result->context_, settings.ca_file);
    }
    SSL_CTX_set_verify(result->context_, SSL_VERIFY_PEER, nullptr);
    // An upstream that asks for a certificate is shown ours.
    if (!settings.certificate_file.empty() && !settings.key_file.empty())
        load_identity(result->context_, settings);
    return result;
}

SSL* tls_context::accept_side() const {
    SSL* tls = SSL_new(context_);
    if (tls != nullptr) SSL_set_accept_state(tls);
    return tls;
}

SSL* tls_context::connect_side(const std::string& host) const {
    SSL* tls = SSL_new(context_);
    if (tls == nullptr) return nullptr;
    SSL_set_connect_state(tls);
    SSL_set_tlsext_host_name(tls, host.c_str());
    X509_VERIFY_PARAM* check = SSL_get0_param(tls);
    if (X509_VERIFY_PARAM_set1_ip_asc(check, host.c_str()) != 1) SSL_set1_host(tls, host.c_str());
    return tls;
}

}  // namespace sidecar
