#pragma once
// Server-sent events on their way: whoever has news publishes them at the hub, each open stream has a queue.
// Thread-safe. A stream that does not keep up loses the oldest and is told how many; the hub keeps the last
// ones for readers that come back with Last-Event-ID.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

struct live_event {
    std::uint64_t id = 0;
    std::string topic;
    std::string frame;  // as it is sent
};
using shared_event = std::shared_ptr<const live_event>;

class event_queue {
public:
    // Empty `topics` = all.
    event_queue(std::set<std::string, std::less<>> topics, std::size_t bytes_max)
        : topics_(std::move(topics)), bytes_max_(bytes_max) {}

    void push(const shared_event& event);
    // Everything that waits as bytes to send; empty when nothing does.
    [[nodiscard]] std::string take();
    // Called, on the publisher's thread, when something came into the empty queue.
    void on_news(std::function<void()> wake);
    [[nodiscard]] bool wants(std::string_view topic) const {
        return topics_.empty() || topics_.contains(topic);
    }

private:
    const std::set<std::string, std::less<>> topics_;
    const std::size_t bytes_max_;
    std::mutex mutex_;
    std::deque<shared_event> waiting_;
    std::size_t bytes_ = 0;
    std::uint64_t lost_ = 0;
    std::function<void()> wake_;
};

class event_hub {
public:
    // `json` is one line.
    void publish(std::string_view topic, std::string_view json);
    // nullptr: too many streams are open. Starts with what came after `last_id`, where that is still known.
    [[nodiscard]] std::shared_ptr<event_queue> subscribe(std::set<std::string, std::less<>> topics,
                                                         std::uint64_t last_id);
    // Whether anybody listens: what nobody reads need not be made.
    [[nodiscard]] bool listened();

private:
    std::mutex mutex_;
    std::vector<std::weak_ptr<event_queue>> queues_;
    std::deque<shared_event> recent_;
    std::uint64_t next_id_ = 1;
};

}  // namespace sidecar
