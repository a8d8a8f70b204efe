#pragma once
// The thread of the control plane: takes batches of notes from the shards, jobs of the HTTP side and a tick
// every tenth of a second, one at a time, so that what it owns needs no locks. It may block on Redis; whoever
// posts never waits for it.
//
// Batches that wait are bounded in bytes, jobs in number. A batch that does not fit is dropped and the loss
// is told before the next one is handed over; a job that does not fit is refused to its poster.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "broker/note_batch.hpp"

namespace sidecar {

struct control_handlers {  // called on the control thread
    std::function<void(const broker::note_batch& batch)> on_batch;
    std::function<void()> on_gap;  // batches were dropped
    std::function<void()> on_tick;
};

struct control_limits {
    std::size_t batch_bytes_max = 16U << 20;
    std::size_t jobs_max = 512;
    std::chrono::milliseconds tick{100};
};

class control_thread {
public:
    using job = std::function<void()>;

    explicit control_thread(control_limits limits = {}) : limits_(limits) {}
    ~control_thread() { stop(); }
    control_thread(const control_thread&) = delete;
    control_thread& operator=(const control_thread&) = delete;

    void start(control_handlers handlers);
    // What waits is not run any more; waits for what is being run. When that takes longer than `patience`,
    // `hurry` is called, which is to make it end.
    void stop(std::chrono::milliseconds patience = {}, const std::function<void()>& hurry = {});

    // From any thread.
    void post_batch(broker::note_batch batch);
    // False: too many wait, or it has been stopped. `work` is then destroyed unrun.
    [[nodiscard]] bool post(job work);

    [[nodiscard]] std::uint64_t dropped_batches() const;

private:
    void run();
    // Takes one piece of what waits and runs it; jobs and batches take turns. False: nothing waits.
    bool run_one(std::unique_lock<std::mutex>& lock);

    control_limits limits_;
    control_handlers handlers_;
    mutable std::mutex mutex_;
    std::condition_variable news_;
    std::deque<broker::note_batch> batches_;
    std::deque<job> jobs_;
    std::size_t batch_bytes_ = 0;
    std::uint64_t dropped_ = 0;
    bool gap_ = false;
    bool jobs_turn_ = true;
    bool running_ = false;
    bool ended_ = true;
    std::thread thread_;
};

}  // namespace sidecar
