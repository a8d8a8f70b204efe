#pragma once
// One thread with its io_context and everything it owns: the core, the sockets, the listeners. Nothing in
// here is touched by another thread; others post messages.

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "sidecar/core/shard_core.hpp"
#include "sidecar/net/listener.hpp"
#include "sidecar/net/reactor.hpp"

namespace sidecar {

class client_socket;
class upstream_socket;
class tls_context;

class shard {
public:
    shard(int index, process_state& process, std::shared_ptr<const runtime> settings,
          std::shared_ptr<tls_context> upstream_tls);
    ~shard();
    shard(const shard&) = delete;
    shard& operator=(const shard&) = delete;

    // Before start().
    void listen_on(int descriptor, std::shared_ptr<tls_context> tls, bool unix_socket);
    void start();
    // From any thread: runs `message` on the shard's thread, as a turn of its own.
    void post(process_state::message message);
    void stop();  // and joins
    // From any thread: no more clients, those there are brought to an end.
    void begin_drain();
    // From any thread: serves the sidecar's own control plane at the other end of this connected socket, on
    // that db. Takes the descriptor.
    void adopt(int descriptor, int db);
    [[nodiscard]] bool drained() const { return drained_.load(std::memory_order_acquire); }

    // --- for the sockets of this shard, on its thread
    [[nodiscard]] shard_core& core() { return core_; }
    [[nodiscard]] reactor& events() { return reactor_; }
    [[nodiscard]] boost::asio::io_context& io() { return io_; }
    // Shared by all sockets: whoever reads uses it up at once.
    [[nodiscard]] std::span<char> read_buffer() { return read_buffer_; }
    // Room for what one write gathers; lent to whoever writes.
    [[nodiscard]] std::span<std::string_view> pieces() { return pieces_; }
    [[nodiscard]] tls_context* upstream_tls() const { return upstream_tls_.get(); }
    void on_accepted(int descriptor, client_address address, const tls_context* tls);
    void on_accept_failed(const std::string& cause);
    void forget(client_socket& socket);
    void forget(upstream_socket& socket);
    void in_turn(const std::function<void()>& work);
    // False when this turn has done enough of a TLS handshake's expensive work.
    [[nodiscard]] bool take_handshake() { return handshakes_left_ > 0 && handshakes_left_-- > 0; }

private:
    void serve_client(int descriptor, client_address address, const tls_context* tls);
    void uncount(const session& client);
    void begin_turn();
    void end_turn();
    void serve(link& which);
    void serve(session& client);
    void tick();

    process_state& process_;
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    shard_core core_;
    reactor reactor_;
    boost::asio::steady_timer timer_;
    std::shared_ptr<tls_context> upstream_tls_;
    std::vector<std::unique_ptr<listener>> listeners_;
    std::unordered_map<client_socket*, std::unique_ptr<client_socket>> clients_;
    std::unordered_map<upstream_socket*, std::unique_ptr<upstream_socket>> upstreams_;
    // Sockets end themselves from their own member functions; they are destroyed when the turn is over.
    std::vector<std::unique_ptr<client_socket>> ended_clients_;
    std::vector<std::unique_ptr<upstream_socket>> ended_upstreams_;
    std::vector<char> read_buffer_;
    std::array<std::string_view, 64> pieces_;
    std::thread thread_;
    std::atomic<bool> drained_{false};
    int handshakes_left_ = 0;
    bool draining_ = false;
};

}  // namespace sidecar
