// Receivers of channels_redis, session and all: how they wait, and whom a message goes to.
#include <catch2/catch.hpp>

#include "tests/sidecar/session_harness.hpp"

using namespace tests;

namespace {

constexpr std::string_view queue = "asgispecific.a!";
const std::string nil = "*-1\r\n";
const std::string message = "*2\r\n$1\r\nm\r\n$3\r\n1.5\r\n";
const std::string delivered = "*3\r\n$15\r\nasgispecific.a!\r\n$1\r\nm\r\n$3\r\n1.5\r\n";

struct guarded : session_harness {
    guarded() {
        redis.scripted["EVAL"] = redis.scripted["EVALSHA"] = "$-1\r\n";
        redis.scripted["ZPOPMIN"] = "*0\r\n";
        redis.scripted["BZMPOP"] = nil;
        redis.scripted["ZADD"] = redis.scripted["ZREM"] = redis.scripted["PEXPIRE"] = ":1\r\n";
    }
    test_client& layer_client() {
        auto& client = connect();
        ask(client, {"SELECT", "1"});
        return client;
    }
    void receive(test_client& client) { command(client, {"BZPOPMIN", queue, "5"}); }
    void something_comes() { redis.scripted["EVAL"] = redis.scripted["EVALSHA"] = message; }
    [[nodiscard]] int sent(const std::string& name) const { return redis.count_of(name); }
};

}  // namespace

TEST_CASE("a receiver is told nil before its own timeout, on no connection of its own", "[guard]") {
    guarded h;
    auto& client = h.layer_client();
    h.receive(client);
    CHECK(client.side->blocked());
    h.pass_slowly(milliseconds(4'300));
    CHECK(client.received.empty());
    h.pass_slowly(milliseconds(400));
    CHECK(h.take(client) == nil);
    CHECK(h.count().channels_early_nils == 1);
    CHECK(h.sent("BZPOPMIN") == 0);
    CHECK(h.connections(link_lane::lease) <= 1);
}

TEST_CASE("other clients' BZPOPMIN is left alone, and everything in passthrough", "[guard]") {
    guarded h;
    h.redis.scripted["BZPOPMIN"] = nil;
    h.redis.scripted["PTTL"] = ":-1\r\n";
    auto& client = h.layer_client();
    CHECK(h.ask(client, {"BZPOPMIN", "scores", "5"}) == nil);
    CHECK(h.sent("BZPOPMIN") == 1);

    config passthrough = session_harness::relaxed();
    passthrough.channels = channels_mode::passthrough;
    session_harness plain(passthrough);
    plain.redis.scripted["BZPOPMIN"] = nil;
    auto& other = plain.connect();
    plain.ask(other, {"SELECT", "1"});
    CHECK(plain.ask(other, {"BZPOPMIN", queue, "5"}) == nil);
    CHECK(plain.redis.count_of("BZPOPMIN") == 1);
    CHECK(plain.count().channels_receives == 0);
}

TEST_CASE("what is there already comes as BZPOPMIN would bring it", "[guard]") {
    guarded h;
    h.something_comes();
    auto& client = h.layer_client();
    h.receive(client);
    CHECK(h.take(client) == delivered);
    CHECK_FALSE(client.side->blocked());
    CHECK(h.core->snapshot().now.channels_receives_open == 1);
}

TEST_CASE("the receive's own message is removed, and the reply is ZPOPMIN's", "[guard]") {
    guarded h;
    h.something_comes();
    auto& client = h.layer_client();
    h.receive(client);
    h.take(client);
    const std::string inflight = std::string(queue) + "$inflight";
    CHECK(h.ask(client, {"ZADD", inflight, "1.5", "m"}) == ":1\r\n");
    CHECK(h.ask(client, {"ZPOPMIN", inflight}) == message);
    CHECK(h.sent("ZREM") == 1);
    CHECK(h.sent("ZPOPMIN") == 0);
    CHECK(h.core->snapshot().now.channels_receives_open == 0);
}

TEST_CASE("who confirms a message that has gone back is closed", "[guard]") {
    guarded h;
    h.something_comes();
    auto& client = h.layer_client();
    auto& next = h.layer_client();
    h.receive(client);
    const std::string inflight = std::string(queue) + "$inflight";
    h.redis.scripted["EVALSHA"] = "$-1\r\n";
    CHECK(h.ask(next, {"EVALSHA", "8d28fb4c84249684940e751f9f15170eb9a96e1a", "0", queue, inflight}) ==
          "$-1\r\n");
    CHECK(h.count().channels_put_backs == 1);
    h.command(client, {"ZADD", inflight, "1.5", "m"});
    CHECK(client.closed);
    CHECK(h.sent("ZADD") == 0);
}

TEST_CASE("a cleanup read when its client has ended takes nothing from the next receive", "[guard]") {
    guarded h;
    h.something_comes();
    auto& cancelled = h.layer_client();
    auto& next = h.layer_client();
    h.receive(next);
    CHECK(h.take(next) == delivered);
    const int scripts = h.sent("EVAL") + h.sent("EVALSHA");
    const std::string inflight = std::string(queue) + "$inflight";
    cancelled.ended = true;
    h.command(cancelled, {"EVALSHA", "8d28fb4c84249684940e751f9f15170eb9a96e1a", "0", queue, inflight});
    CHECK(h.sent("EVAL") + h.sent("EVALSHA") == scripts);
    CHECK(h.count().channels_cleanups_withheld == 1);
    CHECK(h.count().channels_put_backs == 0);
    CHECK(h.ask(next, {"ZADD", inflight, "1.5", "m"}) == ":1\r\n");
    CHECK_FALSE(next.closed);
}

TEST_CASE("a message for somebody who is gone is not given to the next, who is told to look", "[guard]") {
    guarded h;
    h.answers = false;
    auto& gone = h.layer_client();
    auto& next = h.layer_client();
    h.receive(gone);
    h.something_comes();
    h.breaks(gone);
    h.receive(next);
    h.answers = true;
    h.deliver();
    CHECK(h.take(next).starts_with(nil.substr(0, 1)));
}

TEST_CASE("many queues wait together on a few connections", "[guard]") {
    guarded h;
    h.answers = true;
    std::vector<test_client*> clients;
    for (int i = 0; i < 600; ++i) {
        auto& client = h.layer_client();
        h.command(client, {"BZPOPMIN", "asgispecific." + std::to_string(i) + "!", "5"});
        clients.push_back(&client);
    }
    h.pass_slowly(milliseconds(200));
    CHECK(h.connections(link_lane::lease) <= 4);
    CHECK(h.core->snapshot().now.channels_receivers == 600);
    h.pass_slowly(milliseconds(4'600));
    for (auto* client : clients) CHECK(client->received == nil);
}

TEST_CASE("a lost upstream does not end a wait: the receiver looks again when it is back", "[guard]") {
    guarded h;
    auto& client = h.layer_client();
    h.receive(client);
    h.reachable = false;
    h.lose_links();
    h.pass_slowly(milliseconds(300));
    CHECK_FALSE(client.closed);
    CHECK(client.received.empty());
    h.reachable = true;
    h.something_comes();
    h.pass_slowly(milliseconds(1'500));
    CHECK_FALSE(client.closed);
    CHECK_FALSE(h.take(client).empty());
}

TEST_CASE("CLIENT UNBLOCK reaches a receiver", "[guard]") {
    guarded h;
    auto& client = h.layer_client();
    auto& other = h.layer_client();
    h.receive(client);
    CHECK(h.ask(other, {"CLIENT", "UNBLOCK", std::to_string(client.id), "ERROR"}) == ":1\r\n");
    CHECK(h.take(client) == "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    CHECK(h.core->snapshot().now.channels_receivers == 0);
}

TEST_CASE("what a group_send found full is counted", "[guard]") {
    guarded h;
    h.redis.scripted["EVALSHA"] = ":2\r\n";
    auto& client = h.layer_client();
    CHECK(h.ask(client, {"EVALSHA", "5bcf6ea1d6c02c00f44e7030f4f9772a199deaf1", "1", queue, "p", "100", "1.5",
                         "60"}) == ":2\r\n");
    CHECK(h.count().channels_over_capacity == 2);
}

TEST_CASE("notes that change nothing when repeated outlive a lost connection, a queue's ZADD does not",
          "[guard]") {
    guarded h;
    auto& notes = h.layer_client();
    auto& sender = h.layer_client();
    h.answers = false;
    h.command(notes, {"ZADD", "asgi:group:room", "1.5", "specific.a!b"});
    h.command(sender, {"ZADD", queue, "1.5", "payload"});
    h.answers = true;
    h.lose_links();
    h.pass_slowly(milliseconds(500));
    CHECK_FALSE(notes.closed);
    CHECK(h.take(notes) == ":1\r\n");
    CHECK(sender.closed);
}
