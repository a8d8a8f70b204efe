#include "sidecar/http/event_queue.hpp"

#include <algorithm>

namespace sidecar {

namespace {
constexpr std::size_t streams_max = 64;
constexpr std::size_t recent_max = 1'000;
constexpr std::size_t queue_bytes_max = 1U << 20;
}  // namespace

void event_queue::push(const shared_event& event) {
    if (!wants(event->topic)) return;
    std::function<void()> wake;
    {
        const std::lock_guard guard(mutex_);
        if (waiting_.empty()) wake = wake_;
        waiting_.push_back(event);
        bytes_ += event->frame.size();
        while (bytes_ > bytes_max_ && waiting_.size() > 1) {
            bytes_ -= waiting_.front()->frame.size();
            waiting_.pop_front();
            ++lost_;
        }
    }
    if (wake) wake();
}

std::string event_queue::take() {
    const std::lock_guard guard(mutex_);
    std::string bytes;
    if (lost_ > 0) bytes = "event: lost\ndata: {\"events\":" + std::to_string(lost_) + "}\n\n";
    for (const auto& event : waiting_) bytes += event->frame;
    waiting_.clear();
    bytes_ = 0;
    lost_ = 0;
    return bytes;
}

void event_queue::on_news(std::function<void()> wake) {
    const std::lock_guard guard(mutex_);
    wake_ = std::move(wake);
}

void event_hub::publish(std::string_view topic, std::string_view json) {
    const std::lock_guard guard(mutex_);
    auto event = std::make_shared<live_event>();
    event->id = next_id_++;
    event->topic = topic;
    event->frame = "id: " + std::to_string(event->id) + "\nevent: " + event->topic +
                   "\ndata: " + std::string(json) + "\n\n";
    std::erase_if(queues_, [](const auto& queue) { return queue.expired(); });
    for (const auto& queue : queues_)
        if (const auto alive = queue.lock()) alive->push(event);
    recent_.push_back(std::move(event));
    if (recent_.size() > recent_max) recent_.pop_front();
}

std::shared_ptr<event_queue> event_hub::subscribe(std::set<std::string, std::less<>> topics,
                                                  std::uint64_t last_id) {
    const std::lock_guard guard(mutex_);
    std::erase_if(queues_, [](const auto& queue) { return queue.expired(); });
    if (queues_.size() >= streams_max) return nullptr;
    auto queue = std::make_shared<event_queue>(std::move(topics), queue_bytes_max);
    if (last_id > 0)
        for (const auto& event : recent_)
            if (event->id > last_id) queue->push(event);
    queues_.push_back(queue);
    return queue;
}

bool event_hub::listened() {
    const std::lock_guard guard(mutex_);
    return std::any_of(queues_.begin(), queues_.end(), [](const auto& queue) { return !queue.expired(); });
}

}  // namespace sidecar
