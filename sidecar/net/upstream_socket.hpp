#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/core/link.hpp"
#include "sidecar/net/reactor.hpp"
#include "sidecar/net/transport.hpp"

namespace sidecar {

class shard;

// Connects a link to its Redis and moves bytes between the two. Lives from the attempt to the loss.
class upstream_socket final : public ready_handler {
public:
    upstream_socket(shard& owner, link& which, redis_url url);
    ~upstream_socket();
    // No event reaches it any more, and the link is free of it.
    void detach();

    void start();
    void on_ready(std::uint32_t epoll_events) override;
    void serve();  // may destroy this
    void on_time(time_point now);

private:
    void connect_next();
    void connect_to(const void* address, std::size_t bytes, int family);
    void connected();
    void read();
    void write();
    void lose(const std::string& cause);  // destroys this

    shard& owner_;
    link& link_;
    redis_url url_;
    std::unique_ptr<transport> wire_;
    boost::asio::ip::tcp::resolver resolver_;
    std::vector<boost::asio::ip::tcp::endpoint> endpoints_;
    std::size_t next_endpoint_ = 0;
    std::string last_error_ = "cannot connect";
    time_point deadline_;
    bool connecting_ = true;
    bool peer_ended_ = false;
    bool readable_ = false;
    bool writable_ = false;
    // Resolving answers later; this tells its callback that nobody is there any more.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sidecar
