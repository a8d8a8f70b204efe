// The least a multiplexing proxy can do: one thread, one epoll set, one upstream connection, replies paired
// with clients by order, nothing looked at but where frames end. Everything read in a turn is written once at
// its end. What the sidecar costs beyond this is what its features cost.
//
// usage: floor LISTEN_PORT UPSTREAM_PORT        (both on 127.0.0.1; prints "ready" once it serves)

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {
namespace {

constexpr std::size_t read_size = 64UL * 1024;
constexpr std::size_t events_max = 256;

// Length of the frame at the front of `bytes`; nothing while it is incomplete. Commands are arrays of bulks,
// so that one function measures both directions.
std::optional<std::size_t> frame_length(std::string_view bytes) {
    std::size_t position = 0;
    for (std::int64_t missing = 1; missing > 0; --missing) {
        if (position >= bytes.size()) return std::nullopt;
        const void* found = std::memchr(bytes.data() + position, '\n', bytes.size() - position);
        if (found == nullptr) return std::nullopt;
        const char type = bytes[position];
        const char* end = static_cast<const char*>(found);
        std::int64_t number = 0;
        std::from_chars(bytes.data() + position + 1, end - 1, number);
        position = static_cast<std::size_t>(end - bytes.data()) + 1;
        if (type == '$' && number >= 0) position += static_cast<std::size_t>(number) + 2;
        if (type == '*' && number > 0) missing += number;
    }
    if (position > bytes.size()) return std::nullopt;
    return position;
}

struct connection {
    int descriptor = -1;
    std::string partial;  // an incomplete frame
    std::string output;
    std::uint64_t unanswered = 0;
    bool dirty = false;
};

struct owed {
    connection* client;
    std::uint64_t replies;
};

void no_delay(int descriptor) {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

class forwarder {
public:
    forwarder(std::uint16_t listen_port, std::uint16_t upstream_port) {
        const sockaddr_in here = loopback(listen_port);
        const sockaddr_in there = loopback(upstream_port);
        listener_.descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        const int on = 1;
        ::setsockopt(listener_.descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (::bind(listener_.descriptor, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0)
            die("bind");
        if (::listen(listener_.descriptor, 1024) != 0) die("listen");
        upstream_.descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
        if (::connect(upstream_.descriptor, reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0)
            die("connect");
        no_delay(upstream_.descriptor);
        watch(listener_, EPOLLIN);
        watch(upstream_, EPOLLIN | EPOLLOUT | EPOLLET);
    }

    [[noreturn]] void run() {
        std::array<epoll_event, events_max> events;
        for (;;) {
            const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < count; ++i) on_event(events[static_cast<std::size_t>(i)]);
            end_turn();
        }
    }

private:
    void watch(connection& c, std::uint32_t wanted) const {
        epoll_event event{};
        event.events = wanted;
        event.data.ptr = &c;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.descriptor, &event) != 0) die("epoll_ctl");
    }

    void on_event(const epoll_event& event) {
        auto* c = static_cast<connection*>(event.data.ptr);
        if (c == &listener_) return accept_all();
        if (c->descriptor < 0) return;
        if ((event.events & EPOLLOUT) != 0) mark(*c);
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_all(*c);
    }

    void accept_all() {
        for (;;) {
            const int descriptor = ::accept4(listener_.descriptor, nullptr, nullptr, SOCK_NONBLOCK);
            if (descriptor < 0) return;
            no_delay(descriptor);
            auto c = std::make_unique<connection>();
            c->descriptor = descriptor;
            watch(*c, EPOLLIN | EPOLLOUT | EPOLLET);
            clients_.push_back(std::move(c));
        }
    }

    // Reads behind what is left of the last frame, in the one buffer that all connections share.
    void read_all(connection& c) {
        for (;;) {
            const std::size_t kept = c.partial.size();
            if (buffer_.size() < kept + read_size) buffer_.resize(kept + read_size);
            std::memcpy(buffer_.data(), c.partial.data(), kept);
            const auto result = ::recv(c.descriptor, buffer_.data() + kept, read_size, MSG_DONTWAIT);
            if (result < 0 && errno == EAGAIN) return;
            if (result <= 0) return close(c);
            const auto got = static_cast<std::size_t>(result);
            const std::string_view bytes(buffer_.data(), kept + got);
            c.partial.assign(&c == &upstream_ ? deliver(bytes) : submit(c, bytes));
            // Less than asked for: the socket is drained, and the next byte is a new edge.
            if (got < read_size) return;
        }
    }

    // Both take complete frames and return what remains.
    std::string_view submit(connection& client, std::string_view bytes) {
        std::uint64_t frames = 0;
        std::size_t taken = 0;
        while (const auto length = frame_length(bytes.substr(taken))) {
            taken += *length;
            ++frames;
        }
        if (frames == 0) return bytes;
        upstream_.output.append(bytes.substr(0, taken));
        mark(upstream_);
        client.unanswered += frames;
        if (!queue_.empty() && queue_.back().client == &client) {
            queue_.back().replies += frames;
        } else {
            queue_.push_back({&client, frames});
        }
        return bytes.substr(taken);
    }

    std::string_view deliver(std::string_view bytes) {
        while (!queue_.empty()) {
            owed& front = queue_.front();
            std::uint64_t frames = 0;
            std::size_t taken = 0;
            while (frames < front.replies) {
                const auto length = frame_length(bytes.substr(taken));
                if (!length) break;
                taken += *length;
                ++frames;
            }
            if (frames == 0) break;
            if (front.client->descriptor >= 0) {
                front.client->output.append(bytes.substr(0, taken));
                mark(*front.client);
            }
            bytes.remove_prefix(taken);
            front.client->unanswered -= frames;
            front.replies -= frames;
            if (front.replies > 0) break;
            if (front.client->descriptor < 0 && front.client->unanswered == 0) gone_ = true;
            queue_.pop_front();
        }
        return bytes;
    }

    void mark(connection& c) {
        if (c.dirty) return;
        c.dirty = true;
        dirty_.push_back(&c);
    }

    // Upstream first, so that Redis works while the clients are written.
    void end_turn() {
        flush(upstream_);
        for (connection* c : dirty_) {
            c->dirty = false;
            flush(*c);
        }
        dirty_.clear();
        if (!gone_) return;
        gone_ = false;
        std::erase_if(clients_, [](const auto& c) { return c->descriptor < 0 && c->unanswered == 0; });
    }

    void flush(connection& c) {
        if (c.descriptor < 0 || c.output.empty()) return;
        const auto sent = ::send(c.descriptor, c.output.data(), c.output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == static_cast<ssize_t>(c.output.size())) return c.output.clear();
        if (sent > 0) c.output.erase(0, static_cast<std::size_t>(sent));
        if (sent < 0 && errno != EAGAIN && errno != EINTR) close(c);
    }

    void close(connection& c) {
        if (&c == &upstream_) std::exit(0);
        ::close(c.descriptor);
        c.descriptor = -1;
        gone_ = true;
    }

    int epoll_ = ::epoll_create1(0);
    connection listener_;
    connection upstream_;
    std::vector<std::unique_ptr<connection>> clients_;
    std::deque<owed> queue_;
    std::vector<connection*> dirty_;
    std::vector<char> buffer_;
    bool gone_ = false;  // some client can be forgotten
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: floor LISTEN_PORT UPSTREAM_PORT\n", stderr);
        return 2;
    }
    std::signal(SIGPIPE, SIG_IGN);
    const auto port = [](const char* text) { return static_cast<std::uint16_t>(std::atoi(text)); };
    bench::forwarder forwarder(port(argv[1]), port(argv[2]));
    std::puts("ready");
    std::fflush(stdout);
    forwarder.run();
}
