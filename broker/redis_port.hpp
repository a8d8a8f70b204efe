#pragma once
// Redis as the inspecting half of the broker sees it: commands out, replies back, one database. The classes
// above it have no sockets and can be tested against a scripted one; what stands behind it in the process is
// sidecar/control/redis_client.
//
// Nothing here throws. Whatever went wrong comes back as a reply of kind `error`: Redis's own words
// ("WRONGTYPE …"), or a text that begins with one of the two words below.

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/value.hpp"

namespace broker {

using redis_command = std::vector<std::string>;

// Text of an error value: the connection ended, or no answer came in time. Whether a command that was on its
// way has run is then unknown.
inline constexpr std::string_view redis_gone = "DISCONNECTED";
// Text of an error value: the command was not sent, as it or the commands with it are larger than allowed.
inline constexpr std::string_view redis_refused = "TOOLARGE";

[[nodiscard]] inline bool is_error(const resp::value& reply) {
    return reply.type == resp::kind::error;
}
[[nodiscard]] inline bool is_gone(const resp::value& reply) {
    return is_error(reply) && reply.text.starts_with(redis_gone);
}

class redis_port {
public:
    redis_port() = default;
    virtual ~redis_port() = default;
    redis_port(const redis_port&) = delete;
    redis_port& operator=(const redis_port&) = delete;

    // Sends all commands in one write and returns exactly one reply for each, in order. After a loss of the
    // connection the remaining replies are errors.
    [[nodiscard]] virtual std::vector<resp::value> pipeline(std::span<const redis_command> commands) = 0;

    [[nodiscard]] resp::value call(std::span<const std::string_view> command) {
        const redis_command one(command.begin(), command.end());
        return std::move(pipeline({&one, 1}).front());
    }
    [[nodiscard]] resp::value call(std::initializer_list<std::string_view> command) {
        return call(std::span(command.begin(), command.size()));
    }
    [[nodiscard]] resp::value call(const redis_command& command) {
        return std::move(pipeline({&command, 1}).front());
    }
};

}  // namespace broker
