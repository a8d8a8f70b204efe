#include "sidecar/net/client_socket.hpp"

#include <poll.h>

#include "sidecar/net/shard.hpp"

namespace sidecar {

namespace {
constexpr int reads_per_turn_max = 4;  // then others have their turn
constexpr int discards_max = 16;       // bytes of a client being closed that are read away, in buffers
}  // namespace

client_socket::client_socket(shard& owner, session& client, int descriptor, SSL* tls)
    : owner_(owner), client_(client), wire_(descriptor, tls) {
    client_.io = this;
    owner_.events().add(wire_.descriptor(), *this);
}

void client_socket::detach() {
    owner_.events().remove(wire_.descriptor(), *this);
}

void client_socket::on_ready(std::uint32_t events) {
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) peer_ended_ = true;
    if ((events & EPOLLOUT) != 0 && !writable_) {
        writable_ = true;
        owner_.core().mark_dirty(client_);
    }
    if (wire_.is_tls()) {
        // The handshake needs reads and writes in either direction.
        readable_ = true;
        writable_ = true;
        if (client_.in_handshake()) return shake_hands();
    }
    if (readable_) read();
    // A client that ended while it waits inside a call is gone, however much it had sent behind the call.
    if (peer_ended_ && !end_told_ && client_.blocked() && !client_.wants_read()) {
        end_told_ = true;
        client_.on_end_of_stream();
    }
}

// A handshake costs a thousand times what a command does: few of them a turn, others in between.
void client_socket::shake_hands() {
    if (peer_ended_) {
        client_.on_broken();
        return owner_.core().mark_dirty(client_);
    }
    if (!owner_.take_handshake()) return owner_.events().again(*this);
    read();
    if (wire_.handshake_done()) client_.on_handshake_done();
}

void client_socket::read() {
    const auto buffer = owner_.read_buffer();
    for (int i = 0; i < reads_per_turn_max && readable_ && client_.wants_read(); ++i) {
        const auto result = wire_.read(buffer);
        switch (result.outcome) {
            case io_outcome::ok:
                client_.on_bytes({buffer.data(), result.bytes});
                // A short read of a plain socket has emptied it; the next bytes bring the next event.
                if (result.bytes < buffer.size() && !peer_ended_ && !wire_.is_tls()) readable_ = false;
                break;
            case io_outcome::again:
                readable_ = false;
                break;
            case io_outcome::end:
                readable_ = false;
                peer_ended_ = true;
                end_told_ = true;
                client_.on_end_of_stream();
                break;
            case io_outcome::broken:
                readable_ = false;
                client_.on_broken();
                break;
        }
    }
    if (readable_ && client_.wants_read()) owner_.events().again(*this);
    if (client_.wants_close() || !client_.output().empty()) owner_.core().mark_dirty(client_);
}

bool client_socket::peer_has_ended() const {
    pollfd question{wire_.descriptor(), POLLRDHUP, 0};
    return ::poll(&question, 1, 0) > 0 && (question.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void client_socket::write() {
    const auto pieces = owner_.pieces();
    // What was popped for a client that has ended meanwhile goes back instead of into a socket nobody reads.
    if (client_.holds_popped_elements() && peer_has_ended()) return client_.on_broken();
    while (writable_ && !client_.output().empty()) {
        const std::size_t count = client_.output().gather(pieces);
        const auto result = wire_.write(pieces.first(count));
        if (result.outcome == io_outcome::ok) {
            client_.on_sent(result.bytes);
        } else if (result.outcome == io_outcome::again) {
            writable_ = false;
        } else {
            client_.on_broken();
            return;
        }
    }
}

void client_socket::serve() {
    if (client_.life() != session_life::closed) write();
    if (client_.wants_close()) return finish();
    if (readable_ && client_.wants_read()) owner_.events().again(*this);
}

void client_socket::finish() {
    if (client_.life() == session_life::flushing) {
        // Unread bytes would turn the close into a reset, which may overtake the last reply.
        const auto buffer = owner_.read_buffer();
        for (int i = 0; i < discards_max; ++i)
            if (wire_.read(buffer).outcome != io_outcome::ok) break;
    }
    client_.io = nullptr;
    client_.on_broken();
    owner_.core().dispose_later(client_);
    owner_.forget(*this);
}

}  // namespace sidecar
