#include <catch2/catch.hpp>

#include "sidecar/core/broker_gate.hpp"
#include "tests/sidecar/session_harness.hpp"

using namespace tests;

namespace {

std::string message(const std::string& tag) {
    return R"({"body": "W10=", "headers": {"task": "proj.add", "id": "i"}, )"
           R"("properties": {"delivery_tag": ")" +
           tag + R"("}})";
}

test_client& worker(session_harness& h) {
    auto& client = h.connect();
    CHECK(h.ask(client, {"SELECT", "2"}) == "+OK\r\n");
    return client;
}

}  // namespace

TEST_CASE("the same call for some of its lists", "[sidecar][broker_gate]") {
    broker::blocking_call call;
    const std::vector<std::string_view> args{"BRPOP", "a", "b", "c", "2"};
    REQUIRE(broker::parse_blocking(args, call) == broker::blocking_parse::blocking);
    const auto some = narrowed(call, {"a", "c"});
    CHECK(some.args == std::vector<std::string>{"BRPOP", "a", "c", "2"});
    CHECK(some.keys == std::vector<std::string>{"a", "c"});
    CHECK(some.with_timeout(milliseconds(1500)) == resp::command({"BRPOP", "a", "c", "1.500"}));
}

TEST_CASE("what a client popped and never noted goes back a second after it is gone",
          "[sidecar][broker_gate]") {
    session_harness h;
    h.process().hand_overs.learn(2, "unacked");
    auto& client = worker(h);
    h.redis.push("celery", message("t"));
    h.command(client, {"BLPOP", "celery", "0"});
    CHECK(h.process().hand_overs.size() == 1);
    CHECK(h.redis.lists["celery"].empty());
    h.breaks(client);
    h.pass_slowly(milliseconds(900));
    CHECK(h.redis.lists["celery"].empty());
    h.pass_slowly(milliseconds(200));
    CHECK(h.redis.lists["celery"] == std::deque<std::string>{message("t")});
    CHECK(h.count().broker_put_backs == 1);
    CHECK(h.process().hand_overs.size() == 0);
}

TEST_CASE("a note on another connection ends the following", "[sidecar][broker_gate]") {
    session_harness h;
    h.process().hand_overs.learn(2, "unacked");
    h.redis.scripted["HSET"] = ":1\r\n";
    auto& client = worker(h);
    auto& other = worker(h);
    h.redis.push("celery", message("t"));
    h.command(client, {"BLPOP", "celery", "0"});
    h.breaks(client);
    h.command(other, {"HSET", "unacked", "t", "[{}]"});
    CHECK(h.process().hand_overs.size() == 0);
    h.pass_slowly(milliseconds(1500));
    CHECK(h.redis.lists["celery"].empty());
}

TEST_CASE("a note that failed does not", "[sidecar][broker_gate]") {
    session_harness h;
    h.process().hand_overs.learn(2, "unacked");
    h.redis.scripted["HSET"] = "-OOM command not allowed\r\n";
    auto& client = worker(h);
    auto& other = worker(h);
    h.redis.push("celery", message("t"));
    h.command(client, {"BLPOP", "celery", "0"});
    h.command(other, {"HSET", "unacked", "t", "[{}]"});
    CHECK(h.process().hand_overs.size() == 1);
}

TEST_CASE("while the sidecar ends, what nobody noted goes back at once", "[sidecar][broker_gate]") {
    session_harness h;
    h.process().hand_overs.learn(2, "unacked");
    h.redis.scripted["SMEMBERS"] = "*0\r\n";
    auto& client = worker(h);
    h.redis.push("celery", message("t"));
    h.command(client, {"BLPOP", "celery", "0"});
    h.core->begin_drain();
    h.turn();
    h.pass_slowly(milliseconds(30));
    CHECK(h.redis.lists["celery"] == std::deque<std::string>{message("t")});
    CHECK_FALSE(h.core->gate.busy());
}

TEST_CASE("a client is closed by its id, once", "[sidecar][broker_gate]") {
    session_harness h;
    auto& client = worker(h);
    CHECK(h.core->close_client(client.id));
    h.turn();
    CHECK(client.closed);
    CHECK_FALSE(h.core->close_client(client.id));
}
