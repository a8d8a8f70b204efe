#pragma once
// Redis for the control plane: hiredis, whose calls block, over a connected socket. The other end of that
// socket is a session of the sidecar itself, so that TLS, reconnection and routing are inherited and need not
// be known here. Used by one thread, but for give_up.
//
// A connection that failed in any way is closed, and the next call asks for a fresh one: an answer is never
// given to a later question.

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>

#include "broker/redis_port.hpp"

struct redisContext;

namespace sidecar {

struct redis_client_limits {
    std::chrono::milliseconds answer_time_max{5'000};  // of one command; beyond it the connection is closed
    std::size_t commands_bytes_max = 512U << 20;       // of one pipeline
};

class redis_client final : public broker::redis_port {
public:
    // `connect` answers a connected descriptor, which the client then owns, or -1.
    explicit redis_client(std::function<int()> connect, redis_client_limits limits = {});
    ~redis_client() override;

    [[nodiscard]] std::vector<resp::value> pipeline(std::span<const broker::redis_command> commands) override;

    // From any thread: what is being asked ends at once, as if the connection were lost, and so does whatever
    // is asked from now on.
    void give_up();

    // How long Redis was waited for since this was last called.
    [[nodiscard]] std::chrono::microseconds take_waiting_time();

private:
    struct free_context {
        void operator()(redisContext* context) const;
    };

    bool connected();
    void disconnect();
    // Appends the replies to as many commands as fit one write; false when the connection is lost.
    bool exchange(std::span<const broker::redis_command> commands, std::size_t& done,
                  std::vector<resp::value>& replies);

    std::function<int()> connect_;
    redis_client_limits limits_;
    std::unique_ptr<redisContext, free_context> context_;
    std::mutex mutex_;  // over these two: a descriptor that is shut down must still be this client's
    int descriptor_ = -1;
    bool gave_up_ = false;
    std::chrono::microseconds waited_{0};
};

}  // namespace sidecar
