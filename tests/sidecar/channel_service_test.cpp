// CH.* through a session, its service and the hub, with Redis's scripts answering as each test says.
#include <catch2/catch.hpp>

#include "tests/sidecar/session_harness.hpp"

using namespace tests;
using channels::node_message;
using channels::node_verb;

namespace {

const std::string nothing = "*-1\r\n";

struct service_harness : session_harness {
    service_harness() {
        redis.scripted["SCRIPT"] = "+loaded\r\n";
        redis_answers("*2\r\n:1\r\n:0\r\n");
    }
    void redis_answers(std::string reply) { redis.scripted["EVALSHA"] = std::move(reply); }

    // A connection of the process, which had nothing waiting in Redis.
    test_client& member(std::string_view process) {
        auto& client = connect();
        ask(client, {"SELECT", "1"});
        redis_answers("*3\r\n*0\r\n*0\r\n:1\r\n");
        command(client, {"CH.HELLO", "asgi", process});
        pass_slowly(milliseconds(50));
        CHECK(take(client).find("next_seq") != std::string::npos);
        return client;
    }
    std::string say(test_client& client, std::initializer_list<std::string_view> words) {
        command(client, words);
        turn();
        return take(client);
    }
    // A message of the process, as CH.RECV gives it.
    static std::string message(int seq, std::string_view channel, std::string_view body) {
        std::string out = "*3\r\n:" + std::to_string(seq) + "\r\n";
        resp::append_bulk(out, channel);
        resp::append_bulk(out, body);
        return out;
    }
    void another_node_says(node_message m) {
        m.layer = {1, "asgi"};
        m.origin = "other";
        redis.publish("__sidecar:ch:in:0000", channels::encode(m));
        turn();
    }
};

}  // namespace

TEST_CASE("channel_service: who has not said HELLO, or has on another db, gets nothing") {
    service_harness h;
    auto& client = h.connect();
    h.ask(client, {"SELECT", "1"});
    CHECK(h.say(client, {"CH.RECV", "p"}).starts_with("-NOHELLO"));
    auto& greeted = h.member("p");
    CHECK(h.say(greeted, {"CH.RECV", "p"}) == nothing);
    CHECK(h.say(greeted, {"CH.ACK", "q", "1"}).starts_with("-"));
    h.ask(greeted, {"RESET"});
    h.ask(greeted, {"SELECT", "1"});
    CHECK(h.say(greeted, {"CH.RECV", "p"}).starts_with("-NOHELLO"));
}

TEST_CASE("channel_service: a message to a process at home here crosses no network") {
    service_harness h;
    auto& sender = h.member("a");
    auto& receiver = h.member("b");
    const int before = h.redis.count_of("EVALSHA");
    CHECK(h.say(sender, {"CH.SEND", "b!1", "x"}) == ":1\r\n");
    CHECK(h.redis.count_of("EVALSHA") == before);
    CHECK(h.say(receiver, {"CH.RECV", "b"}) == "*1\r\n" + h.message(1, "b!1", "x"));
    CHECK(h.say(receiver, {"CH.RECV", "b"}) == nothing);
}

TEST_CASE("channel_service: what a burst brought a waiting reader is one reply") {
    service_harness h;
    auto& sender = h.member("a");
    auto& receiver = h.member("b");
    CHECK(h.say(receiver, {"CH.RECV", "b", "BLOCK", "5000"}).empty());
    CHECK(receiver.side->blocked());
    h.send(sender, resp::command({"CH.SEND", "b!1", "x"}) + resp::command({"CH.SEND", "b!1", "y"}));
    h.turn();
    CHECK(h.take(receiver) == "*2\r\n" + h.message(1, "b!1", "x") + h.message(2, "b!1", "y"));
    CHECK_FALSE(receiver.side->blocked());
}

TEST_CASE("channel_service: a wait ends with nil at its time, and when the shard drains") {
    service_harness h;
    auto& receiver = h.member("b");
    h.say(receiver, {"CH.RECV", "b", "BLOCK", "500"});
    h.pass_slowly(milliseconds(400));
    CHECK(h.take(receiver).empty());
    h.pass_slowly(milliseconds(300));
    CHECK(h.take(receiver) == nothing);
    h.say(receiver, {"CH.RECV", "b", "BLOCK", "5000"});
    h.core->begin_drain();
    h.turn();
    CHECK(h.take(receiver) == nothing);
}

TEST_CASE("channel_service: another connection of the process is given again what was not acknowledged") {
    service_harness h;
    auto& first = h.member("b");
    h.say(first, {"CH.SEND", "b!1", "x"});
    CHECK(h.say(first, {"CH.ACK", "b", "1"}).starts_with("-ERR ACK"));
    const std::string given = "*1\r\n" + h.message(1, "b!1", "x");
    CHECK(h.say(first, {"CH.RECV", "b"}) == given);
    auto& second = h.member("b");
    CHECK(h.say(second, {"CH.RECV", "b"}) == given);
    CHECK(h.say(second, {"CH.ACK", "b", "1"}) == ":1\r\n");
    CHECK(h.say(first, {"CH.RECV", "b"}) == nothing);
}

TEST_CASE("channel_service: a process that does not receive has room for its capacity, and says so") {
    service_harness h;
    auto& sender = h.member("a");
    h.member("b");
    for (int i = 0; i < 100; ++i) CHECK(h.say(sender, {"CH.SEND", "b!1", "x"}) == ":1\r\n");
    CHECK(h.say(sender, {"CH.SEND", "b!1", "x"}).starts_with("-CHANNELFULL"));
}

TEST_CASE("channel_service: another node's message finds its process, or is told that it is not here") {
    service_harness h;
    auto& receiver = h.member("b");
    node_message m;
    m.verb = node_verb::send;
    m.request = 7;
    m.body = std::make_shared<const std::string>("x");
    m.name = "b!1";
    m.capacity = 100;
    m.expiry_ms = 60'000;
    h.another_node_says(m);
    CHECK(h.say(receiver, {"CH.RECV", "b"}) == "*1\r\n" + h.message(1, "b!1", "x"));
    h.redis.log.clear();
    m.name = "nobody!1";
    h.another_node_says(m);
    REQUIRE(h.redis.count_of("PUBLISH") > 0);
    const auto told = channels::decode_node_message(h.redis.log.back().second[2]);
    CHECK(told->result == static_cast<std::uint8_t>(store_result::gone));
}
