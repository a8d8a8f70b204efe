#include "sidecar/net/upstream_socket.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sidecar/net/shard.hpp"
#include "sidecar/net/tls_context.hpp"

namespace sidecar {

namespace {
constexpr std::chrono::seconds connect_time_max{3};
constexpr int reads_per_turn_max = 8;

void set_tcp_options(int descriptor) {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    const int idle = 15;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    const int interval = 5;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    // A peer that vanished without a word is noticed in half a minute, not in a quarter of an hour.
    const unsigned unanswered_ms = 30'000;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
}

}  // namespace

upstream_socket::upstream_socket(shard& owner, link& which, redis_url url)
    : owner_(owner),
      link_(which),
      url_(std::move(url)),
      resolver_(owner.io()),
      deadline_(owner.core().now() + connect_time_max) {
    link_.io = this;
}

upstream_socket::~upstream_socket() {
    *alive_ = false;
}

void upstream_socket::detach() {
    *alive_ = false;
    link_.io = nullptr;
    if (wire_) owner_.events().remove(wire_->descriptor(), *this);
}

void upstream_socket::start() {
    if (url_.scheme == url_scheme::unix_socket) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, url_.path.c_str(), sizeof address.sun_path - 1);
        return connect_to(&address, sizeof address, AF_UNIX);
    }
    resolver_.async_resolve(url_.host, std::to_string(url_.port),
                            [this, alive = alive_](const boost::system::error_code& ec, const auto& results) {
                                if (!*alive) return;
                                owner_.in_turn([&] {
                                    if (ec) return lose("cannot resolve " + url_.host + ": " + ec.message());
                                    for (const auto& r : results) endpoints_.push_back(r.endpoint());
                                    connect_next();
                                });
                            });
}

void upstream_socket::connect_next() {
    if (next_endpoint_ >= endpoints_.size()) return lose(last_error_);
    const auto& endpoint = endpoints_[next_endpoint_++];
    connect_to(endpoint.data(), endpoint.size(), endpoint.protocol().family());
}

void upstream_socket::connect_to(const void* address, std::size_t bytes, int family) {
    const int descriptor = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return lose(std::string("socket: ") + std::strerror(errno));
    if (family != AF_UNIX) set_tcp_options(descriptor);
    SSL* tls = url_.scheme == url_scheme::tls ? owner_.upstream_tls()->connect_side(url_.host) : nullptr;
    if (wire_) owner_.events().remove(wire_->descriptor(), *this);
    wire_ = std::make_unique<transport>(descriptor, tls);
    const int result =
        ::connect(descriptor, static_cast<const sockaddr*>(address), static_cast<socklen_t>(bytes));
    if (result != 0 && errno != EINPROGRESS && errno != EAGAIN) {
        last_error_ = std::strerror(errno);
        wire_.reset();
        return family == AF_UNIX ? lose(last_error_) : connect_next();
    }
    if (result != 0 && errno == EAGAIN && family == AF_UNIX) {
        wire_.reset();
        return lose("the socket's backlog is full");
    }
    owner_.events().add(descriptor, *this);
}

void upstream_socket::on_ready(std::uint32_t events) {
    if (connecting_) {
        if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(wire_->descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            last_error_ = std::strerror(error);
            return url_.scheme == url_scheme::unix_socket ? lose(last_error_) : connect_next();
        }
        connected();
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) peer_ended_ = true;
    if ((events & EPOLLOUT) != 0) {
        writable_ = true;
        owner_.core().on_link_dirty(link_);
    }
    if (wire_->is_tls()) readable_ = writable_ = true;
    if (readable_ && !link_.reading_paused()) read();
}

void upstream_socket::connected() {
    connecting_ = false;
    writable_ = true;
    link_.on_open();
}

void upstream_socket::read() {
    const auto buffer = owner_.read_buffer();
    for (int i = 0; i < reads_per_turn_max && readable_ && !link_.reading_paused() && !link_.wants_close();
         ++i) {
        const auto result = wire_->read(buffer);
        if (result.outcome == io_outcome::ok) {
            owner_.core().stats.count.bytes_from_upstream += result.bytes;
            link_.on_bytes({buffer.data(), result.bytes});
            if (result.bytes < buffer.size() && !peer_ended_ && !wire_->is_tls()) readable_ = false;
        } else if (result.outcome == io_outcome::again) {
            readable_ = false;
        } else {
            return lose(result.outcome == io_outcome::end ? "closed by Redis" : wire_->error());
        }
    }
    if (readable_ && !link_.reading_paused()) owner_.events().again(*this);
}

void upstream_socket::write() {
    const auto pieces = owner_.pieces();
    while (writable_ && link_.has_output()) {
        const std::size_t count = link_.gather(pieces);
        if (count == 0) return;
        const auto result = wire_->write(pieces.first(count));
        if (result.outcome == io_outcome::ok) {
            owner_.core().stats.count.bytes_to_upstream += result.bytes;
            link_.on_written(result.bytes);
        } else if (result.outcome == io_outcome::again) {
            writable_ = false;
        } else {
            return lose(wire_->error());
        }
    }
}

void upstream_socket::serve() {
    if (link_.wants_close()) return lose("closed by the sidecar");
    if (connecting_) return;
    if (readable_ && !link_.reading_paused()) owner_.events().again(*this);
    write();
}

void upstream_socket::on_time(time_point now) {
    if (!link_.ready() && now > deadline_) lose("connecting timed out");
}

void upstream_socket::lose(const std::string& cause) {
    link& which = link_;
    shard& owner = owner_;
    owner.forget(*this);
    which.on_closed(cause, owner.core().now());
}

}  // namespace sidecar
