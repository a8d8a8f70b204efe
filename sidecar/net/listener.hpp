#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "sidecar/config/config.hpp"
#include "sidecar/net/reactor.hpp"

namespace sidecar {

class shard;
class tls_context;

// A bound, listening socket; the descriptor is handed to a listener.
struct listening_socket {
    int descriptor = -1;
    endpoint where;    // with the port the kernel chose
    std::string path;  // of a unix socket
};

// Both throw std::runtime_error with one line naming the address.
// `shared`: several sockets may listen on the port (one per shard); the first of them makes sure nobody else
// does.
enum class port_use : std::uint8_t { first, further };
[[nodiscard]] listening_socket listen_tcp(const endpoint& where, port_use use);
[[nodiscard]] listening_socket listen_unix(const std::string& path);

// Accepts clients for one shard. When descriptors run out it pauses and goes on; it never ends by itself.
class listener final : public ready_handler {
public:
    listener(shard& owner, int descriptor, std::shared_ptr<tls_context> tls, bool unix_socket);
    ~listener();

    void on_ready(std::uint32_t epoll_events) override;
    void on_time();  // goes on after a pause

private:
    void accept_all();

    shard& owner_;
    int descriptor_;
    std::shared_ptr<tls_context> tls_;
    bool unix_socket_;
    bool paused_ = false;
};

}  // namespace sidecar
