#include "bench/load/closed_loop.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace bench {

namespace {
constexpr std::size_t read_size = 64UL * 1024;
constexpr std::size_t events_max = 256;
}  // namespace

closed_loop::closed_loop(const load_settings& settings, mix& load)
    : settings_(settings), mix_(load), buffer_(read_size), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < settings_.clients; ++i) {
        clients_.push_back(std::make_unique<client>());
        clients_.back()->number = i;
        open(*clients_.back());
    }
}

closed_loop::~closed_loop() {
    for (const auto& c : clients_) ::close(c->descriptor);
    ::close(epoll_);
}

load_result closed_loop::run() {
    greet_all();
    counting_ = true;
    const clock::time_point begin = clock::now();
    for (const auto& c : clients_) start(*c);
    while (result_.commands < settings_.commands) turn();
    result_.time = clock::now() - begin;
    return std::move(result_);
}

void closed_loop::open(client& c) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(settings_.port);
    if (::inet_pton(AF_INET, settings_.host.c_str(), &address.sin_addr) != 1) fail("not an IPv4 address");
    c.descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(c.descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail(std::string("connect: ") + std::strerror(errno));
    const int on = 1;
    ::setsockopt(c.descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = &c;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.descriptor, &event) != 0) fail("epoll_ctl");
}

void closed_loop::greet_all() {
    for (const auto& c : clients_) {
        c->missing = mix_.greet(c->number, c->output);
        flush(*c);
    }
    const auto waits = [](const auto& c) { return c->missing > 0; };
    while (std::any_of(clients_.begin(), clients_.end(), waits)) turn();
}

// False where the client has nothing to do.
bool closed_loop::start(client& c) {
    c.missing = mix_.next(c.number, c.output);
    if (c.missing == 0) {
        if (!c.idle) idle_.push_back(&c);
        c.idle = true;
        return false;
    }
    c.begin = clock::now();
    flush(c);
    return true;
}

void closed_loop::start_idle() {
    std::erase_if(idle_, [this](client* c) {
        if (!start(*c)) return false;
        c->idle = false;
        return true;
    });
}

void closed_loop::flush(client& c) {
    if (c.output.empty()) return;
    const auto sent = ::send(c.descriptor, c.output.data(), c.output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) fail(std::string("send: ") + std::strerror(errno));
    if (sent > 0) c.output.erase(0, static_cast<std::size_t>(sent));
}

void closed_loop::read(client& c) {
    for (;;) {
        const auto got = ::recv(c.descriptor, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got < 0) fail(std::string("recv: ") + std::strerror(errno));
        if (got == 0) fail("the server closed a connection");
        on_bytes(c, {buffer_.data(), static_cast<std::size_t>(got)});
        if (static_cast<std::size_t>(got) < buffer_.size()) return;
    }
}

void closed_loop::on_bytes(client& c, std::string_view bytes) {
    const bool kept = !c.partial.empty();
    if (kept) {
        c.partial.append(bytes);
        bytes = c.partial;
    }
    std::size_t begin = 0;
    while (begin + c.scanned < bytes.size()) {
        const auto step = c.scanner.scan(bytes.substr(begin + c.scanned));
        c.scanned += step.bytes;
        if (step.status == resp::reply_status::error) fail("a reply that is no RESP");
        if (step.status == resp::reply_status::need_more) break;
        const std::size_t length = std::exchange(c.scanned, 0);
        on_reply(c, bytes.substr(begin, length));
        begin += length;
    }
    if (kept) {
        c.partial.erase(0, begin);
    } else {
        c.partial.assign(bytes.substr(begin));
    }
}

void closed_loop::on_reply(client& c, std::string_view reply) {
    if (c.missing == 0) fail("a reply that nobody asked for");
    if (counting_) {
        mix_.on_reply(c.number, reply);
        ++result_.commands;
    }
    if (--c.missing > 0 || !counting_) return;
    result_.latencies.add(clock::now() - c.begin);
    ++result_.batches;
    start(c);
}

void closed_loop::turn() {
    std::array<epoll_event, events_max> events;
    const auto patience = std::chrono::milliseconds(settings_.patience).count();
    const int count =
        ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>(patience));
    if (count == 0) fail("no reply for too long");
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        auto& c = *static_cast<client*>(event.data.ptr);
        if ((event.events & EPOLLOUT) != 0) flush(c);
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(c);
    }
    if (!idle_.empty()) start_idle();
}

}  // namespace bench
