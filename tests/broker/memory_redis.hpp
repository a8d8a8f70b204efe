#pragma once
// Lists in memory behind a redis_port, for what only reads them; counts what it was asked.
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "broker/redis_port.hpp"

class memory_redis : public broker::redis_port {
public:
    std::map<std::string, std::deque<std::string>> lists;  // front = left
    std::uint64_t commands = 0;
    std::uint64_t elements_read = 0;
    std::uint64_t bytes_read = 0;
    bool away = false;

    [[nodiscard]] std::vector<resp::value> pipeline(std::span<const broker::redis_command> given) override {
        std::vector<resp::value> replies;
        for (const auto& command : given) replies.push_back(run(command));
        return replies;
    }

protected:
    virtual resp::value run(const broker::redis_command& command) {
        ++commands;
        resp::value reply;
        if (away) {
            reply.type = resp::kind::error;
            reply.text = broker::redis_gone;
            return reply;
        }
        const auto& list = lists[command.size() > 1 ? command[1] : ""];
        const auto size = static_cast<std::int64_t>(list.size());
        const auto index = [&](const std::string& text) {
            const std::int64_t at = std::stoll(text);
            return at < 0 ? at + size : at;
        };
        if (command[0] == "LLEN") {
            reply.type = resp::kind::integer;
            reply.integer = size;
        } else if (command[0] == "MEMORY") {
            const auto& weighed = lists[command[2]];
            reply.type = resp::kind::integer;
            for (const auto& element : weighed) reply.integer += static_cast<std::int64_t>(element.size());
        } else if (command[0] == "LRANGE") {
            reply.type = resp::kind::array;
            const std::int64_t last = std::min(index(command[3]), size - 1);
            for (std::int64_t i = std::max<std::int64_t>(0, index(command[2])); i <= last; ++i) {
                reply.items.push_back(bulk(list[static_cast<std::size_t>(i)]));
                ++elements_read;
                bytes_read += reply.items.back().text.size();
            }
        } else {
            reply.type = resp::kind::error;
            reply.text = "ERR unknown command";
        }
        return reply;
    }

    static resp::value bulk(std::string text) {
        resp::value value;
        value.type = resp::kind::bulk;
        value.text = std::move(text);
        return value;
    }
};

// As kombu writes one, as short as it can be, or with a body of so many bytes.
inline std::string message(const std::string& tag, std::size_t body_bytes = 0) {
    const std::string body = body_bytes == 0 ? "W10=" : std::string(body_bytes, 'x');
    return R"({"body":")" + body + R"(","content-type":"application/json","headers":{"task":"t","id":")" +
           tag + R"("},"properties":{"delivery_tag":")" + tag + R"("}})";
}
