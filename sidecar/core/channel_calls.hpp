#pragma once
// Scripts of the native channel layer on their way to Redis: each is answered once, at the latest when the
// hold is over. While this node is not registered with Redis, calls wait in order.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "channels/native_scripts.hpp"
#include "resp/value.hpp"
#include "sidecar/core/clock.hpp"

namespace sidecar {

class shard_core;

enum class call_failure : std::uint8_t {
    none,
    not_sent,  // it certainly did not run
    unknown,   // it may have run
};

class channel_calls {
public:
    // `reply` is a null value when there is a failure; an error of Redis is a failure too (not_sent).
    using answer = std::function<void(call_failure failure, const resp::value& reply)>;

    explicit channel_calls(shard_core& shard) : shard_(shard) {}
    ~channel_calls() = default;
    channel_calls(const channel_calls&) = delete;
    channel_calls& operator=(const channel_calls&) = delete;

    void run(channels::native_call call, answer done);
    // Without waiting for this node to be registered: that is what registers it.
    void run_now(channels::native_call call, answer done);
    // A plain command whose reply is of no interest.
    void tell(int database, const std::string& command_bytes);

    void set_ready(int database, bool ready);
    [[nodiscard]] bool ready(int database) const { return ready_.contains(database); }
    void on_time(time_point now);
    // The shard ends: nobody is told any more.
    void close() { closed_ = true; }

private:
    class asked;
    struct waiting_call {
        std::uint64_t number;
        channels::native_call call;
    };
    struct pending {
        answer done;
        time_point deadline;
        std::size_t bytes;
        bool sent;
    };
    [[nodiscard]] std::uint64_t keep(answer done, std::size_t bytes);
    void submit(std::uint64_t number, std::shared_ptr<const channels::native_call> call, bool with_text);
    void finish(std::uint64_t number, call_failure failure, const resp::value& reply);
    void refuse_later(std::uint64_t number);

    shard_core& shard_;
    std::set<int> ready_;
    std::map<int, std::deque<waiting_call>> waiting_;  // by db
    std::map<std::uint64_t, pending> pending_;         // by number, and so by deadline
    std::size_t pending_bytes_ = 0;
    std::uint64_t last_number_ = 0;
    bool closed_ = false;
};

}  // namespace sidecar
