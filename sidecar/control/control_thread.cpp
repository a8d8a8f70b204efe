#include "sidecar/control/control_thread.hpp"

#include <utility>

namespace sidecar {

void control_thread::start(control_handlers handlers) {
    handlers_ = std::move(handlers);
    running_ = true;
    ended_ = false;
    thread_ = std::thread([this] { run(); });
}

void control_thread::stop(std::chrono::milliseconds patience, const std::function<void()>& hurry) {
    {
        std::unique_lock lock(mutex_);
        running_ = false;
        news_.notify_all();
        if (hurry && !news_.wait_for(lock, patience, [this] { return ended_; })) hurry();
    }
    if (thread_.joinable()) thread_.join();
    const std::lock_guard guard(mutex_);
    jobs_.clear();
    batches_.clear();
    batch_bytes_ = 0;
}

void control_thread::post_batch(broker::note_batch batch) {
    {
        const std::lock_guard guard(mutex_);
        if (!running_) return;
        if (batch_bytes_ + batch.weight() > limits_.batch_bytes_max) {
            ++dropped_;
            gap_ = true;
            return;
        }
        batch_bytes_ += batch.weight();
        batches_.push_back(std::move(batch));
    }
    news_.notify_one();
}

bool control_thread::post(job work) {
    {
        const std::lock_guard guard(mutex_);
        if (!running_ || jobs_.size() >= limits_.jobs_max) return false;
        jobs_.push_back(std::move(work));
    }
    news_.notify_one();
    return true;
}

std::uint64_t control_thread::dropped_batches() const {
    const std::lock_guard guard(mutex_);
    return dropped_;
}

bool control_thread::run_one(std::unique_lock<std::mutex>& lock) {
    // A gap lies behind the batches that still fitted.
    if (batches_.empty() && gap_) {
        gap_ = false;
        lock.unlock();
        handlers_.on_gap();
        lock.lock();
        return true;
    }
    if (!jobs_.empty() && (jobs_turn_ || batches_.empty())) {
        jobs_turn_ = false;
        {
            const job work = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            work();
        }
        lock.lock();
        return true;
    }
    jobs_turn_ = true;
    if (batches_.empty()) return false;
    const broker::note_batch batch = std::move(batches_.front());
    batches_.pop_front();
    lock.unlock();
    handlers_.on_batch(batch);
    lock.lock();
    batch_bytes_ -= batch.weight();
    return true;
}

void control_thread::run() {
    auto next_tick = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (running_) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= next_tick) {
            next_tick = now + limits_.tick;
            lock.unlock();
            handlers_.on_tick();
            lock.lock();
            continue;
        }
        if (run_one(lock)) continue;
        news_.wait_until(lock, next_tick);
    }
    ended_ = true;
    news_.notify_all();
}

}  // namespace sidecar
