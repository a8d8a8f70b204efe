#pragma once
// The shard's own epoll set, edge-triggered, awaited by Asio as a single descriptor: a socket is registered
// once in its life and costs no system call per event but its own reads and writes. A turn is one batch of
// events followed by `end_turn`, where everything that was gathered is written.

#include <sys/epoll.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <vector>

namespace sidecar {

class ready_handler {
public:
    virtual void on_ready(std::uint32_t epoll_events) = 0;

protected:
    ~ready_handler() = default;
};

class reactor {
public:
    reactor(boost::asio::io_context& io, std::function<void()> begin_turn, std::function<void()> end_turn);

    // Throws std::system_error when the kernel refuses.
    void add(int descriptor, ready_handler& handler);
    // The handler is not called any more, not even for events already fetched.
    void remove(int descriptor, ready_handler& handler);
    // Calls the handler in the next turn as if these events had come.
    void again(ready_handler& handler);

private:
    void wait();
    void run_turns();

    boost::asio::io_context& io_;
    boost::asio::posix::stream_descriptor descriptor_;
    std::function<void()> begin_turn_;
    std::function<void()> end_turn_;
    std::vector<epoll_event> events_;
    std::size_t fetched_ = 0;
    std::vector<ready_handler*> again_;
    std::vector<ready_handler*> current_again_;
    bool again_posted_ = false;
};

}  // namespace sidecar
