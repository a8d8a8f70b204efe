#include "sidecar/cli/tls_bridge.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "sidecar/config/text.hpp"

namespace sidecar {
namespace {

using steady = std::chrono::steady_clock;

int left_until(steady::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady::now()).count();
    return left > 0 ? static_cast<int>(left) : 0;
}

bool wait_for(int descriptor, short events, steady::time_point deadline) {
    pollfd watched{descriptor, events, 0};
    int ready = 0;
    do {
        ready = ::poll(&watched, 1, left_until(deadline));
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

// Empty when connected, else why not.
std::string connect_socket(int descriptor, const addrinfo& address, steady::time_point deadline) {
    if (::connect(descriptor, address.ai_addr, address.ai_addrlen) == 0) return {};
    if (errno != EINPROGRESS) return std::strerror(errno);
    if (!wait_for(descriptor, POLLOUT, deadline)) return "timed out";
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0 ? std::string() : std::strerror(error);
}

std::variant<int, std::string> connect_to(const redis_url& url, steady::time_point deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
    if (failed != 0) return std::string(::gai_strerror(failed));
    std::string why = "no address";
    int connected = -1;
    for (const addrinfo* address = found; address != nullptr && connected < 0; address = address->ai_next) {
        const int type = address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
        const int descriptor = ::socket(address->ai_family, type, address->ai_protocol);
        if (descriptor < 0) continue;
        why = connect_socket(descriptor, *address, deadline);
        if (why.empty()) {
            connected = descriptor;
        } else {
            ::close(descriptor);
        }
    }
    ::freeaddrinfo(found);
    if (connected < 0) return why;
    return connected;
}

std::string tls_error(SSL* tls) {
    const long verdict = SSL_get_verify_result(tls);
    if (verdict != X509_V_OK) return std::string("certificate: ") + X509_verify_cert_error_string(verdict);
    std::array<char, 200> text{};
    const unsigned long code = ERR_get_error();
    if (code == 0) return "the server closed the connection";
    ERR_error_string_n(code, text.data(), text.size());
    return text.data();
}

}  // namespace

class tls_bridge::connection {
public:
    ~connection() {
        if (plain_ >= 0) ::shutdown(plain_, SHUT_RDWR);
        if (thread_.joinable()) thread_.join();
        SSL_free(tls_);
        SSL_CTX_free(context_);
        for (const int descriptor : {secure_, plain_, offered_})
            if (descriptor >= 0) ::close(descriptor);
    }

    // Empty when open, else why not.
    std::string open(const redis_url& url, const std::string& ca_file, std::chrono::milliseconds timeout) {
        const auto deadline = steady::now() + timeout;
        auto socket = connect_to(url, deadline);
        if (auto* why = std::get_if<std::string>(&socket)) return std::move(*why);
        secure_ = std::get<int>(socket);
        if (std::string why = prepare(url, ca_file); !why.empty()) return why;
        if (std::string why = shake_hands(deadline); !why.empty()) return why;
        std::array<int, 2> pair{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
            return std::strerror(errno);
        plain_ = pair[0];
        offered_ = pair[1];
        thread_ = std::thread([this] { carry(); });
        return {};
    }

    int take_descriptor() { return std::exchange(offered_, -1); }

private:
    std::string prepare(const redis_url& url, const std::string& ca_file) {
        context_ = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
        const int loaded = ca_file.empty()
                               ? SSL_CTX_set_default_verify_paths(context_)
                               : SSL_CTX_load_verify_locations(context_, ca_file.c_str(), nullptr);
        if (loaded != 1) return "cannot use the authorities in " + in_quotes(ca_file);
        tls_ = SSL_new(context_);
        SSL_set_fd(tls_, secure_);
        if (is_ipv4_address(url.host) || is_ipv6_address(url.host)) {
            X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_), url.host.c_str());
        } else {
            SSL_set_tlsext_host_name(tls_, url.host.c_str());
            SSL_set1_host(tls_, url.host.c_str());
        }
        return {};
    }

    std::string shake_hands(steady::time_point deadline) {
        for (;;) {
            ERR_clear_error();
            const int result = SSL_connect(tls_);
            if (result == 1) return {};
            const int wanted = SSL_get_error(tls_, result);
            if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE)
                return "TLS: " + tls_error(tls_);
            if (!wait_for(secure_, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline))
                return "TLS: timed out";
        }
    }

    // Until either side ends. The conversation is small, so that blocking writes to the pair are fine.
    void carry() {
        while (from_secure() && from_plain_or_wait()) continue;
        ::shutdown(plain_, SHUT_RDWR);
    }

    // All that has arrived; false at the end.
    bool from_secure() {
        std::array<char, 16'384> bytes{};
        for (;;) {
            ERR_clear_error();
            const int count = SSL_read(tls_, bytes.data(), static_cast<int>(bytes.size()));
            if (count <= 0) return SSL_get_error(tls_, count) == SSL_ERROR_WANT_READ;
            if (::send(plain_, bytes.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL) != count)
                return false;
        }
    }

    bool from_plain_or_wait() {
        std::array<pollfd, 2> watched{{{secure_, POLLIN, 0}, {plain_, POLLIN, 0}}};
        if (::poll(watched.data(), watched.size(), -1) < 0) return errno == EINTR;
        if (watched[1].revents == 0) return true;
        std::array<char, 16'384> bytes{};
        const ssize_t count = ::recv(plain_, bytes.data(), bytes.size(), 0);
        return count > 0 && send_secure(bytes.data(), static_cast<int>(count));
    }

    bool send_secure(const char* bytes, int count) {
        for (;;) {
            ERR_clear_error();
            const int written = SSL_write(tls_, bytes, count);
            if (written == count) return true;
            const int wanted = SSL_get_error(tls_, written);
            if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) return false;
            std::array<pollfd, 2> watched{
                {{secure_, static_cast<short>(wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0},
                 {plain_, POLLRDHUP, 0}}};
            if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return false;
            if (watched[1].revents != 0) return false;
        }
    }

    int secure_ = -1;
    int plain_ = -1;    // the thread's end of the pair
    int offered_ = -1;  // the caller's end
    SSL_CTX* context_ = nullptr;
    SSL* tls_ = nullptr;
    std::thread thread_;
};

tls_bridge::tls_bridge(std::unique_ptr<connection> made) : connection_(std::move(made)) {}

tls_bridge::~tls_bridge() = default;

std::variant<std::unique_ptr<tls_bridge>, std::string> tls_bridge::open(const redis_url& url,
                                                                        const std::string& ca_file,
                                                                        std::chrono::milliseconds timeout) {
    auto made = std::make_unique<connection>();
    if (std::string why = made->open(url, ca_file, timeout); !why.empty()) return why;
    return std::unique_ptr<tls_bridge>(new tls_bridge(std::move(made)));
}

int tls_bridge::take_descriptor() {
    return connection_->take_descriptor();
}

}  // namespace sidecar
