#include "sidecar/net/listener.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "sidecar/net/shard.hpp"
#include "sidecar/net/tls_context.hpp"

namespace sidecar {

namespace {

constexpr int backlog = 4'096;
constexpr int accepts_per_turn_max = 512;
constexpr int kernel_send_bytes_unsent_max = 1 << 20;

std::string text(const endpoint& where) {
    return where.host + ":" + std::to_string(where.port);
}

[[noreturn]] void fail(const std::string& address, int error) {
    throw std::runtime_error("cannot listen on " + address + ": " + std::strerror(error));
}

std::string address_text(const sockaddr_storage& address) {
    std::array<char, INET6_ADDRSTRLEN> host{};
    if (address.ss_family == AF_INET) {
        const auto& in = reinterpret_cast<const sockaddr_in&>(address);
        ::inet_ntop(AF_INET, &in.sin_addr, host.data(), host.size());
        return std::string(host.data()) + ":" + std::to_string(ntohs(in.sin_port));
    }
    if (address.ss_family == AF_INET6) {
        const auto& in = reinterpret_cast<const sockaddr_in6&>(address);
        ::inet_ntop(AF_INET6, &in.sin6_addr, host.data(), host.size());
        return "[" + std::string(host.data()) + "]:" + std::to_string(ntohs(in.sin6_port));
    }
    const auto& un = reinterpret_cast<const sockaddr_un&>(address);
    return std::string(un.sun_path[0] == '\0' ? "unix" : un.sun_path) + ":0";
}

int bind_and_listen(const addrinfo& a, bool share_port) {
    const int s = ::socket(a.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) return -1;
    const int on = 1;
    ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (share_port) ::setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (a.ai_family == AF_INET6) {
        const int off = 0;
        ::setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (::bind(s, a.ai_addr, a.ai_addrlen) == 0 && ::listen(s, backlog) == 0) return s;
    const int error = errno;
    ::close(s);
    errno = error;
    return -1;
}

}  // namespace

listening_socket listen_tcp(const endpoint& where, port_use use) {
    addrinfo hints{};
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(where.port);
    const int error =
        ::getaddrinfo(where.host == "*" ? nullptr : where.host.c_str(), port.c_str(), &hints, &found);
    if (error != 0)
        throw std::runtime_error("cannot listen on " + text(where) + ": " + ::gai_strerror(error));
    if (use == port_use::first && where.port != 0) {
        // With SO_REUSEPORT a second process would silently share the port: a socket without it finds that
        // out.
        const int probe = bind_and_listen(*found, false);
        if (probe < 0) {
            const int reason = errno;
            ::freeaddrinfo(found);
            fail(text(where), reason);
        }
        ::close(probe);
    }
    const int s = bind_and_listen(*found, true);
    const int reason = errno;
    ::freeaddrinfo(found);
    if (s < 0) fail(text(where), reason);
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(s, reinterpret_cast<sockaddr*>(&bound), &size);
    listening_socket result;
    result.descriptor = s;
    result.where = where;
    result.where.port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                                          : reinterpret_cast<sockaddr_in&>(bound).sin_port);
    return result;
}

listening_socket listen_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw std::runtime_error("cannot listen on " + path + ": the path is too long for a unix socket");
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const int s = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) fail(path, errno);
    // A socket nobody listens on is left over from a process that was killed.
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) {
        if (!S_ISSOCK(info.st_mode)) {
            ::close(s);
            throw std::runtime_error("cannot listen on " + path + ": it exists and is no socket");
        }
        if (::connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
            ::close(s);
            fail(path, EADDRINUSE);
        }
        ::unlink(path.c_str());
    }
    if (::bind(s, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(s, backlog) != 0) {
        const int error = errno;
        ::close(s);
        fail(path, error);
    }
    ::chmod(path.c_str(), 0660);
    listening_socket result;
    result.descriptor = s;
    result.path = path;
    return result;
}

listener::listener(shard& owner, int descriptor, std::shared_ptr<tls_context> tls, bool unix_socket)
    : owner_(owner), descriptor_(descriptor), tls_(std::move(tls)), unix_socket_(unix_socket) {
    owner_.events().add(descriptor_, *this);
}

listener::~listener() {
    owner_.events().remove(descriptor_, *this);
    ::close(descriptor_);
}

void listener::on_ready(std::uint32_t) {
    if (!paused_) accept_all();
}

void listener::on_time() {
    if (!paused_) return;
    paused_ = false;
    accept_all();
}

void listener::accept_all() {
    for (int i = 0; i < accepts_per_turn_max; ++i) {
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        const int s =
            ::accept4(descriptor_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (s < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) return;
            if (errno == ECONNABORTED || errno == EINTR) continue;
            owner_.on_accept_failed(std::strerror(errno));
            paused_ = true;
            return;
        }
        client_address address;
        sockaddr_storage local{};
        socklen_t local_size = sizeof local;
        ::getsockname(s, reinterpret_cast<sockaddr*>(&local), &local_size);
        address.local = address_text(local);
        address.remote = unix_socket_ ? address.local : address_text(peer);
        address.unix_socket = unix_socket_;
        address.tls = tls_ != nullptr;
        address.descriptor = s;
        if (!unix_socket_) {
            const int on = 1;
            ::setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            ::setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
            // What waits in the kernel cannot be bounded or put back: most of it waits here instead.
            ::setsockopt(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kernel_send_bytes_unsent_max,
                         sizeof kernel_send_bytes_unsent_max);
        }
        owner_.on_accepted(s, std::move(address), tls_.get());
    }
    owner_.events().again(*this);
}

}  // namespace sidecar
