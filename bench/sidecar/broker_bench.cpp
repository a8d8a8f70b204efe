// What observing a broker costs the proxy: one task's commands on db 2, with the observer and without.

#include <memory>
#include <stdexcept>

#include "bench/micro/cases.hpp"
#include "bench/sidecar/memory_shard.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

constexpr std::size_t clients = 20;

struct exchange {
    const char* name;
    std::size_t commands;
    std::string request;
    std::string reply;
};

std::string message(std::size_t body_bytes) {
    return R"({"body": ")" + std::string(body_bytes, 'W') +
           R"(", "headers": {"lang": "py", "task": "proj.add", )"
           R"("id": "0d5f3a4e-93b1-4d7c-8d1a-2f3f6f0a4b11"}, )"
           R"("properties": {"delivery_tag": "7b0e8e4a-1c1f-4f3c-9f9c-0b1f6f6c2d3e"}})";
}

// As kombu sends them: the publisher's push, the worker's note and acknowledgement, its events.
std::vector<exchange> exchanges() {
    const std::string tag = "7b0e8e4a-1c1f-4f3c-9f9c-0b1f6f6c2d3e";
    const std::string push = resp::command({"LPUSH", "celery", message(800)});
    const std::string note =
        resp::command({"MULTI"}) + resp::command({"ZADD", "unacked_index", "1700000000.5", tag}) +
        resp::command({"HSET", "unacked", tag, "[" + message(800) + R"(, "", "celery"])"}) +
        resp::command({"EXEC"});
    const std::string settle = resp::command({"MULTI"}) + resp::command({"ZREM", "unacked_index", tag}) +
                               resp::command({"HDEL", "unacked", tag}) + resp::command({"EXEC"});
    const std::string event = resp::command({"PUBLISH", "/2.celeryev/task.multi", message(400)});
    const std::string done = "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n";
    const std::string zero = ":0\r\n";
    return {
        {"push", 1, push, ":1\r\n"},
        {"note", 4, note, done},
        {"settle", 4, settle, done},
        {"task", 13, push + note + settle + event + event + event + event,
         ":1\r\n" + done + done + zero + zero + zero + zero},
    };
}

micro_case case_of(const exchange& what, sidecar::broker_mode mode) {
    const char* suffix = mode == sidecar::broker_mode::observe ? "_observed" : "_off";
    return {
        "sidecar/broker/" + std::string(what.name) + suffix, clients * what.commands, [what, mode] {
            sidecar::config settings;
            settings.broker.mode = mode;
            auto shard = std::make_shared<memory_shard>(settings);
            shard->open_clients(clients, resp::command({"SELECT", "2"}) + resp::command({"SET", "a", "b"}));
            const std::uint64_t before = shard->bytes_out();
            shard->turn(what.request, what.reply);
            if (shard->bytes_out() - before != clients * (what.request.size() + what.reply.size()))
                throw std::logic_error("what went in does not come out");
            return [shard, what] { shard->turn(what.request, what.reply); };
        }};
}

}  // namespace

void add_broker_cases(std::vector<micro_case>& cases) {
    for (const exchange& what : exchanges())
        for (const auto mode : {sidecar::broker_mode::off, sidecar::broker_mode::observe})
            cases.push_back(case_of(what, mode));
}

}  // namespace bench
