#include "sidecar/net/reactor.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <system_error>

namespace sidecar {

namespace {
constexpr std::size_t events_max = 256;  // a turn's batch
constexpr int turns_max = 32;            // before other work of the io_context gets its chance
}  // namespace

reactor::reactor(boost::asio::io_context& io, std::function<void()> begin_turn,
                 std::function<void()> end_turn)
    : io_(io),
      descriptor_(io, ::epoll_create1(EPOLL_CLOEXEC)),
      begin_turn_(std::move(begin_turn)),
      end_turn_(std::move(end_turn)),
      events_(events_max) {
    wait();
}

void reactor::add(int descriptor, ready_handler& handler) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &handler;
    if (::epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) != 0)
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

void reactor::remove(int descriptor, ready_handler& handler) {
    epoll_event unused{};
    ::epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_DEL, descriptor, &unused);
    for (std::size_t i = 0; i < fetched_; ++i)
        if (events_[i].data.ptr == &handler) events_[i].data.ptr = nullptr;
    std::replace(again_.begin(), again_.end(), &handler, static_cast<ready_handler*>(nullptr));
    std::replace(current_again_.begin(), current_again_.end(), &handler,
                 static_cast<ready_handler*>(nullptr));
}

void reactor::again(ready_handler& handler) {
    again_.push_back(&handler);
    if (again_posted_) return;
    again_posted_ = true;
    boost::asio::post(io_, [this] {
        again_posted_ = false;
        run_turns();
    });
}

void reactor::wait() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this](const boost::system::error_code& ec) {
                               if (ec) return;
                               run_turns();
                               wait();
                           });
}

void reactor::run_turns() {
    for (int turn = 0; turn < turns_max; ++turn) {
        const int count =
            ::epoll_wait(descriptor_.native_handle(), events_.data(), static_cast<int>(events_max), 0);
        if (count <= 0 && again_.empty()) return;
        begin_turn_();
        fetched_ = count > 0 ? static_cast<std::size_t>(count) : 0;
        for (std::size_t i = 0; i < fetched_; ++i)
            if (auto* handler = static_cast<ready_handler*>(events_[i].data.ptr))
                handler->on_ready(events_[i].events);
        fetched_ = 0;
        current_again_.swap(again_);
        for (std::size_t i = 0; i < current_again_.size(); ++i)
            if (current_again_[i] != nullptr) current_again_[i]->on_ready(0);
        current_again_.clear();
        end_turn_();
    }
    if (again_posted_) return;
    // The set is edge-triggered: what is left over must not depend on a new event.
    again_posted_ = true;
    boost::asio::post(io_, [this] {
        again_posted_ = false;
        run_turns();
    });
}

}  // namespace sidecar
