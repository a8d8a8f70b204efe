#include "broker/pidbox_caller.hpp"

#include <boost/json/parse.hpp>

#include "broker/base64.hpp"
#include "broker/pidbox_message.hpp"
#include "catch2/catch.hpp"

using namespace broker;

namespace {

// Workers that answer as soon as they are asked.
class office : public redis_port {
public:
    std::vector<std::string> nodes;  // who answers
    std::int64_t listeners = 0;
    std::vector<redis_command> seen;
    std::vector<std::string> waiting;
    std::int64_t now_us = 1'000'000;
    bool down = false;

    std::vector<resp::value> pipeline(std::span<const redis_command> commands) override {
        std::vector<resp::value> all;
        for (const redis_command& each : commands) {
            seen.push_back(each);
            all.push_back(*resp::parse_value(run(each)));
        }
        return all;
    }
    [[nodiscard]] bool said(std::string_view verb, std::string_view key) const {
        for (const redis_command& each : seen) {
            if (each[0] == verb && each[1] == key) return true;
        }
        return false;
    }

private:
    std::string run(const redis_command& command) {
        if (down) return "-DISCONNECTED\r\n";
        if (command[0] == "PUBLISH") {
            const auto request = read_pidbox_request(command[2]);
            REQUIRE(request);
            for (const std::string& node : nodes) {
                if (request->ticket.empty()) continue;
                waiting.push_back(
                    R"({"body": ")" + base64_encode("{\"" + node + "\": {\"ok\": \"pong\"}}") +
                    R"(", "content-encoding": "utf-8", "content-type": "application/json", )" +
                    R"("headers": {"ticket": ")" + request->ticket + R"(", "clock": 1}, )" +
                    R"("properties": {"delivery_info": {"exchange": "e", "routing_key": "r"}, )" +
                    R"("body_encoding": "base64", "delivery_tag": "t"}})");
            }
            return ":" + std::to_string(listeners) + "\r\n";
        }
        if (command[0] == "BRPOP") {
            now_us += 200'000;
            if (waiting.empty()) return "*-1\r\n";
            const std::string element = waiting.back();
            waiting.pop_back();
            return "*2\r\n$1\r\nk\r\n$" + std::to_string(element.size()) + "\r\n" + element + "\r\n";
        }
        return ":1\r\n";
    }
};

pidbox_caller caller_of(office& redis) {
    return {redis, [&redis] { return redis.now_us; }, [] { return std::string("uuid"); }};
}

}  // namespace

TEST_CASE("pidbox_caller waits for as many replies as there are listeners, and cleans up",
          "[broker][pidbox_caller]") {
    office redis;
    redis.nodes = {"w1@h", "w2@h"};
    redis.listeners = 2;
    pidbox_call call;
    call.method = "ping";
    const pidbox_answer answer = caller_of(redis).call({2, "p:"}, call);
    CHECK(answer.listeners == 2);
    CHECK(answer.replies.size() == 2);
    CHECK(answer.replies.at("w1@h").at("ok").as_string() == "pong");
    CHECK(answer.error.empty());
    CHECK(redis.said("PUBLISH", "p:/2.celery.pidbox"));
    CHECK(redis.said("PEXPIRE", "p:uuid.reply.celery.pidbox"));
    CHECK(redis.said("SREM", "p:_kombu.binding.reply.celery.pidbox"));
    CHECK(redis.said("DEL", "p:uuid.reply.celery.pidbox"));
}

TEST_CASE("pidbox_caller names who did not answer in time", "[broker][pidbox_caller]") {
    office redis;
    redis.nodes = {"w1@h"};
    redis.listeners = 2;
    pidbox_call call;
    call.method = "ping";
    call.nodes = {"w1@h", "w9@h"};
    const pidbox_answer answer = caller_of(redis).call({2, ""}, call);
    CHECK(answer.replies.size() == 1);
    CHECK(answer.missing == std::vector<std::string>{"w9@h"});
    CHECK(redis.now_us < 3'000'000);
    CHECK(redis.said("DEL", "uuid.reply.celery.pidbox"));
}

TEST_CASE("pidbox_caller binds nothing when no answer is wanted, and tells when Redis is away",
          "[broker][pidbox_caller]") {
    office redis;
    redis.listeners = 3;
    pidbox_call call;
    call.method = "shutdown";
    call.wait = pidbox_wait::nothing;
    CHECK(caller_of(redis).call({2, ""}, call).listeners == 3);
    CHECK(redis.seen.size() == 1);
    redis.down = true;
    call.wait = pidbox_wait::replies;
    CHECK(caller_of(redis).call({2, ""}, call).error == "DISCONNECTED");
}

TEST_CASE("pidbox_operation takes the arguments that the method has, and no others",
          "[broker][pidbox_caller]") {
    std::string error;
    const auto of = [&](std::string_view name, std::string_view json) {
        error.clear();
        const auto parsed = boost::json::parse({json.data(), json.size()});
        return pidbox_operation(name, parsed.as_object(), error);
    };
    CHECK(of("pool-grow", R"({"n": 2, "evil": 1})")->arguments == boost::json::object{{"n", 2}});
    CHECK(of("revoke", R"({"task_id": ["a", "b"], "terminate": true})")->method == "revoke");
    CHECK(of("add-consumer", R"({"queue": "q"})")->method == "add_consumer");
    CHECK(of("shutdown", "{}")->wait == pidbox_wait::nothing);
    CHECK_FALSE(of("add-consumer", "{}"));
    CHECK(error == "'queue' is missing");
    CHECK_FALSE(of("pool-grow", R"({"n": -1})"));
    CHECK_FALSE(of("rate-limit", R"({"task_name": "t", "rate_limit": []})"));
    CHECK_FALSE(of("election", "{}"));
}
