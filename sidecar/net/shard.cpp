#include "sidecar/net/shard.hpp"

#include <openssl/ssl.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <ctime>
#include <system_error>

#include "sidecar/core/session.hpp"
#include "sidecar/net/client_socket.hpp"
#include "sidecar/net/tls_context.hpp"
#include "sidecar/net/upstream_socket.hpp"

namespace sidecar {

namespace {
constexpr std::size_t read_buffer_bytes = 128U << 10;
constexpr std::chrono::milliseconds fine_tick{10};
constexpr std::chrono::milliseconds idle_tick{100};

std::int64_t unix_time_us() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}
constexpr int handshakes_per_turn_max = 8;
constexpr int rounds_max = 64;  // of a turn's end: what flushing wakes is flushed too
constexpr std::size_t prefetch_ahead = 2;
constexpr std::size_t cache_line_bytes = 64;

// Of thousands of clients that get a message few are in the cache when their turn comes.
void prefetch(const session& next) {
    const auto* bytes = reinterpret_cast<const char*>(&next);
    for (std::size_t at = 0; at < sizeof next; at += cache_line_bytes) __builtin_prefetch(bytes + at);
    __builtin_prefetch(next.io, 1);
}
}  // namespace

shard::shard(int index, process_state& process, std::shared_ptr<const runtime> settings,
             std::shared_ptr<tls_context> upstream_tls)
    : process_(process),
      work_(boost::asio::make_work_guard(io_)),
      core_(index, process, std::move(settings)),
      reactor_(
          io_, [this] { begin_turn(); }, [this] { end_turn(); }),
      timer_(io_),
      upstream_tls_(std::move(upstream_tls)),
      read_buffer_(read_buffer_bytes) {
    core_.set_now(std::chrono::steady_clock::now());
    core_.set_unix_time(std::time(nullptr));
}

shard::~shard() {
    try {
        stop();
    } catch (const std::exception&) {
        // Joining can only fail when there is no thread to join.
    }
}

void shard::listen_on(int descriptor, std::shared_ptr<tls_context> tls, bool unix_socket) {
    listeners_.push_back(std::make_unique<listener>(*this, descriptor, std::move(tls), unix_socket));
}

void shard::start() {
    thread_ = std::thread([this] {
        tick();
        io_.run();
    });
}

void shard::stop() {
    if (!thread_.joinable()) return;
    boost::asio::post(io_, [this] {
        listeners_.clear();
        timer_.cancel();
        io_.stop();
    });
    thread_.join();
}

void shard::post(process_state::message message) {
    boost::asio::post(io_, [this, message = std::move(message)] { in_turn([&] { message(core_); }); });
}

void shard::in_turn(const std::function<void()>& work) {
    begin_turn();
    work();
    end_turn();
}

void shard::begin_turn() {
    core_.set_now(std::chrono::steady_clock::now());
    handshakes_left_ = handshakes_per_turn_max;
}

void shard::end_turn() {
    std::vector<link*> links;
    std::vector<session*> sessions;
    for (int round = 0; round < rounds_max; ++round) {
        core_.finish_turn();
        if (core_.dirty_links.empty() && core_.dirty_sessions.empty()) break;
        links.swap(core_.dirty_links);
        for (link* l : links) l->dirty = false;
        for (link* l : links) serve(*l);
        links.clear();
        sessions.swap(core_.dirty_sessions);
        for (session* s : sessions) s->dirty = false;
        for (std::size_t i = 0; i < sessions.size(); ++i) {
            if (i + prefetch_ahead < sessions.size()) prefetch(*sessions[i + prefetch_ahead]);
            serve(*sessions[i]);
        }
        sessions.clear();
    }
    ended_clients_.clear();
    ended_upstreams_.clear();
}

void shard::serve(link& which) {
    if (auto* socket = static_cast<upstream_socket*>(which.io)) return socket->serve();
    if (!which.wants_open(core_.now())) return;
    which.on_opening();
    auto socket =
        std::make_unique<upstream_socket>(*this, which, core_.upstreams()[which.key().upstream]->url);
    auto* started = socket.get();
    upstreams_.emplace(started, std::move(socket));
    started->start();
}

void shard::serve(session& client) {
    if (auto* socket = static_cast<client_socket*>(client.io)) socket->serve();
}

void shard::tick() {
    in_turn([this] {
        core_.set_unix_time_us(unix_time_us());
        core_.on_time();
        for (auto& l : listeners_) l->on_time();
        std::vector<upstream_socket*> connecting;
        for (auto& [socket, owned] : upstreams_) connecting.push_back(socket);
        for (auto* socket : connecting) socket->on_time(core_.now());
    });
    if (draining_) drained_.store(core_.drained(), std::memory_order_release);
    timer_.expires_after(draining_ || core_.wants_fine_ticks() ? fine_tick : idle_tick);
    timer_.async_wait([this](const boost::system::error_code& ec) {
        if (!ec) tick();
    });
}

void shard::begin_drain() {
    boost::asio::post(io_, [this] {
        in_turn([this] {
            draining_ = true;
            listeners_.clear();
            core_.begin_drain();
        });
        tick();
    });
}

void shard::on_accepted(int descriptor, client_address address, const tls_context* tls) {
    const auto before = process_.clients.fetch_add(1, std::memory_order_relaxed);
    if (before >= core_.settings().settings.clients_max && !core_.make_room()) {
        process_.clients.fetch_sub(1, std::memory_order_relaxed);
        ++core_.stats.count.clients_refused_max;
        if (tls == nullptr) {
            static constexpr std::string_view words = "-ERR max number of clients reached\r\n";
            [[maybe_unused]] const auto written = ::write(descriptor, words.data(), words.size());
        }
        ::close(descriptor);
        return;
    }
    serve_client(descriptor, std::move(address), tls);
}

void shard::adopt(int descriptor, int db) {
    post([this, descriptor, db](shard_core&) {
        client_address address;
        address.remote = address.local = "control:0";
        address.unix_socket = true;
        address.descriptor = descriptor;
        address.kind = client_kind::control;
        address.database = db;
        serve_client(descriptor, std::move(address), nullptr);
    });
}

void shard::serve_client(int descriptor, client_address address, const tls_context* tls) {
    SSL* side = tls != nullptr ? tls->accept_side() : nullptr;
    session& client = core_.open_session(std::move(address));
    try {
        auto socket = std::make_unique<client_socket>(*this, client, descriptor, side);
        clients_.emplace(socket.get(), std::move(socket));
    } catch (const std::system_error& error) {
        uncount(client);
        client.io = nullptr;
        client.on_broken();
        on_accept_failed(error.what());
    }
}

void shard::uncount(const session& client) {
    if (!client.control()) process_.clients.fetch_sub(1, std::memory_order_relaxed);
}

void shard::on_accept_failed(const std::string& cause) {
    ++core_.stats.count.accept_failures;
    core_.log('e', "accept failed", {{"cause", cause}});
}

void shard::forget(client_socket& socket) {
    const auto it = clients_.find(&socket);
    if (it == clients_.end()) return;
    socket.detach();
    uncount(socket.client());
    ended_clients_.push_back(std::move(it->second));
    clients_.erase(it);
}

void shard::forget(upstream_socket& socket) {
    const auto it = upstreams_.find(&socket);
    if (it == upstreams_.end()) return;
    socket.detach();
    ended_upstreams_.push_back(std::move(it->second));
    upstreams_.erase(it);
}

}  // namespace sidecar
