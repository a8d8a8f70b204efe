#include "bench/load/fanout_wires.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "bench/load/mix.hpp"

namespace bench {

namespace {
constexpr std::size_t read_size = 256UL * 1024;
constexpr std::size_t events_max = 128;
}  // namespace

wires::wires() : buffer_(read_size), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

wires::~wires() {
    for (const auto& w : all_) ::close(w->descriptor);
    ::close(epoll_);
}

std::size_t wires::connect(const std::string& host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) fail("--host: not an IPv4 address");
    auto fresh = std::make_unique<wire>();
    fresh->number = all_.size();
    fresh->descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fresh->descriptor < 0) fail(std::string("socket: ") + std::strerror(errno) + " (raise ulimit -n)");
    if (::connect(fresh->descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("connect to port " + std::to_string(port) + ": " + std::strerror(errno));
    const int on = 1;
    ::setsockopt(fresh->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = fresh.get();
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fresh->descriptor, &event) != 0) fail("epoll_ctl");
    all_.push_back(std::move(fresh));
    return all_.size() - 1;
}

void wires::send(std::size_t number, std::string_view bytes) {
    wire& w = *all_[number];
    w.output.append(bytes);
    flush(w);
}

void wires::flush(wire& w) {
    if (w.output.empty()) return;
    const auto sent = ::send(w.descriptor, w.output.data(), w.output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) fail(std::string("send: ") + std::strerror(errno));
    if (sent > 0) w.output.erase(0, static_cast<std::size_t>(sent));
}

void wires::receive(wire& w, const reader& read) {
    for (;;) {
        const auto got = ::recv(w.descriptor, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got < 0) fail(std::string("recv: ") + std::strerror(errno));
        if (got == 0) fail("the server closed a connection");
        const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
        if (w.input.empty()) {
            w.input.assign(bytes.substr(read(w.number, bytes)));
        } else {
            w.input.append(bytes);
            w.input.erase(0, read(w.number, w.input));
        }
        // A short read has emptied the socket; the next bytes bring the next event.
        if (bytes.size() < buffer_.size()) return;
    }
}

bool wires::turn(std::chrono::nanoseconds patience, const reader& read) {
    std::array<epoll_event, events_max> events;
    timespec wait{};
    wait.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(patience).count();
    wait.tv_nsec = (patience % std::chrono::seconds(1)).count();
    const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        auto& w = *static_cast<wire*>(event.data.ptr);
        if ((event.events & EPOLLOUT) != 0) flush(w);
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(w, read);
    }
    return count > 0;
}

}  // namespace bench
