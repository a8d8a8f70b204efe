#include "sidecar/control/redis_client.hpp"

#include <hiredis/hiredis.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "resp/writer.hpp"

namespace sidecar {

namespace {

// What is written before replies are read: more could fill both directions, each side waiting for the other.
constexpr std::size_t commands_at_once_max = 1'000;
constexpr std::size_t bytes_at_once_max = 1U << 20;
constexpr int depth_max = 8;  // of a reply's arrays

resp::value error_value(std::string text) {
    resp::value value;
    value.type = resp::kind::error;
    value.text = std::move(text);
    return value;
}

resp::value value_of(const redisReply& reply, int depth = 0) {
    resp::value value;
    switch (reply.type) {
        case REDIS_REPLY_STATUS:
            value.type = resp::kind::simple;
            break;
        case REDIS_REPLY_ERROR:
            value.type = resp::kind::error;
            break;
        case REDIS_REPLY_STRING:
            value.type = resp::kind::bulk;
            break;
        case REDIS_REPLY_INTEGER:
            value.type = resp::kind::integer;
            value.integer = reply.integer;
            return value;
        case REDIS_REPLY_ARRAY:
            value.type = resp::kind::array;
            if (depth == depth_max) return error_value("ERR reply nested too deeply");
            value.items.reserve(reply.elements);
            for (std::size_t i = 0; i < reply.elements; ++i)
                value.items.push_back(value_of(*reply.element[i], depth + 1));
            return value;
        default:
            return value;
    }
    value.text.assign(reply.str, reply.len);
    return value;
}

std::string frame_of(const broker::redis_command& command) {
    const std::vector<std::string_view> args(command.begin(), command.end());
    std::string frame;
    resp::append_command(frame, args);
    return frame;
}

std::size_t bytes_of(std::span<const broker::redis_command> commands) {
    std::size_t bytes = 0;
    for (const auto& command : commands)
        for (const auto& argument : command) bytes += argument.size();
    return bytes;
}

}  // namespace

void redis_client::free_context::operator()(redisContext* context) const {
    redisFree(context);
}

redis_client::redis_client(std::function<int()> connect, redis_client_limits limits)
    : connect_(std::move(connect)), limits_(limits) {}

redis_client::~redis_client() = default;

bool redis_client::connected() {
    if (context_ != nullptr) return true;
    const int descriptor = connect_();
    if (descriptor < 0) return false;
    context_.reset(redisConnectFd(descriptor));
    if (context_ == nullptr) return false;
    {
        const std::lock_guard guard(mutex_);
        if (gave_up_) {
            context_.reset();
            return false;
        }
        descriptor_ = descriptor;
    }
    const auto ms = limits_.answer_time_max.count();
    const timeval patience{static_cast<time_t>(ms / 1'000), static_cast<suseconds_t>(ms % 1'000 * 1'000)};
    redisSetTimeout(context_.get(), patience);
    return true;
}

void redis_client::disconnect() {
    const std::lock_guard guard(mutex_);
    descriptor_ = -1;
    context_.reset();
}

void redis_client::give_up() {
    const std::lock_guard guard(mutex_);
    gave_up_ = true;
    if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_RDWR);
}

bool redis_client::exchange(std::span<const broker::redis_command> commands, std::size_t& done,
                            std::vector<resp::value>& replies) {
    std::size_t sent = done;
    std::size_t bytes = 0;
    while (sent < commands.size() && sent - done < commands_at_once_max && bytes < bytes_at_once_max) {
        const std::string frame = frame_of(commands[sent++]);
        bytes += frame.size();
        if (redisAppendFormattedCommand(context_.get(), frame.data(), frame.size()) != REDIS_OK) return false;
    }
    for (; done < sent; ++done) {
        void* raw = nullptr;
        if (redisGetReply(context_.get(), &raw) != REDIS_OK || raw == nullptr) return false;
        const std::unique_ptr<redisReply, void (*)(void*)> reply(static_cast<redisReply*>(raw),
                                                                 freeReplyObject);
        replies.push_back(value_of(*reply));
    }
    return true;
}

std::vector<resp::value> redis_client::pipeline(std::span<const broker::redis_command> commands) {
    std::vector<resp::value> replies;
    replies.reserve(commands.size());
    if (bytes_of(commands) > limits_.commands_bytes_max) {
        replies.resize(commands.size(), error_value(std::string(broker::redis_refused)));
        return replies;
    }
    const auto began = std::chrono::steady_clock::now();
    std::size_t done = 0;
    std::string cause = "no connection";
    while (done < commands.size() && connected()) {
        if (exchange(commands, done, replies)) continue;
        cause = context_->errstr;
        disconnect();
        break;
    }
    replies.resize(commands.size(), error_value(std::string(broker::redis_gone) + ": " + cause));
    waited_ +=
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
    return replies;
}

std::chrono::microseconds redis_client::take_waiting_time() {
    return std::exchange(waited_, std::chrono::microseconds(0));
}

}  // namespace sidecar
