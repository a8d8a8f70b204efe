#pragma once
#include "sidecar/core/session.hpp"
#include "sidecar/net/reactor.hpp"
#include "sidecar/net/transport.hpp"

namespace sidecar {

class shard;

// Moves bytes between one client's socket and its session.
class client_socket final : public ready_handler, public client_io {
public:
    client_socket(shard& owner, session& client, int descriptor, SSL* tls);  // owns the last two
    [[nodiscard]] const session& client() const { return client_; }
    // No event reaches it any more.
    void detach();

    void on_ready(std::uint32_t epoll_events) override;
    [[nodiscard]] bool peer_has_ended() const override;
    // Writes what the session has, closes when it wants to be closed, reads on when it may. May destroy this.
    void serve();

private:
    void read();
    void shake_hands();
    void write();
    void finish();  // destroys this

    shard& owner_;
    session& client_;
    transport wire_;
    bool readable_ = false;
    bool writable_ = true;
    bool peer_ended_ = false;
    bool end_told_ = false;
};

}  // namespace sidecar
