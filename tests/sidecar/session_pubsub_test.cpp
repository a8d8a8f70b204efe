#include "tests/sidecar/session_harness.hpp"
#include "tests/support/fragments.hpp"

using namespace tests;

namespace {

std::string joined(std::initializer_list<std::initializer_list<std::string_view>> commands) {
    std::string out;
    for (const auto& c : commands) out += resp::command(c);
    return out;
}

std::string frame(char type, const words& parts) {
    std::string out = std::string(1, type) + std::to_string(parts.size()) + "\r\n";
    for (const auto& part : parts) resp::append_bulk(out, part);
    return out;
}

std::string confirmed(const std::string& verb, const std::string& name, int count, char type = '*') {
    std::string out = std::string(1, type) + "3\r\n";
    resp::append_bulk(out, verb);
    resp::append_bulk(out, name);
    resp::append_integer(out, count);
    return out;
}

test_client& speaker3(session_harness& h) {
    auto& client = h.connect();
    (void)h.ask(client, {"HELLO", "3"});
    return client;
}

}  // namespace

TEST_CASE("confirmations come in order and only when upstream has confirmed") {
    session_harness h;
    auto& client = h.connect();
    (void)h.ask(client, {"PING"});
    h.answers = false;
    h.send(client, joined({{"SUBSCRIBE", "a", "b"}, {"PSUBSCRIBE", "p*"}, {"PING"}}));
    CHECK(client.received.empty());
    h.answers = true;
    h.turn();
    CHECK(client.received == confirmed("subscribe", "a", 1) + confirmed("subscribe", "b", 2) +
                                 confirmed("psubscribe", "p*", 3) + frame('*', {"pong", ""}));
}

TEST_CASE("subscribing, however it is cut, with commands around it") {
    each_fragmentation(joined({{"SET", "k", "v"},
                               {"SUBSCRIBE", "a", "a", "b"},
                               {"UNSUBSCRIBE", "a"},
                               {"UNSUBSCRIBE"},
                               {"GET", "k"}}),
                       [](const pieces& parts) {
                           session_harness h;
                           auto& client = h.connect();
                           for (const auto part : parts) h.send(client, part);
                           CHECK(client.received ==
                                 "+OK\r\n" + confirmed("subscribe", "a", 1) + confirmed("subscribe", "a", 1) +
                                     confirmed("subscribe", "b", 2) + confirmed("unsubscribe", "a", 1) +
                                     confirmed("unsubscribe", "b", 0) + "$1\r\nv\r\n");
                       });
}

TEST_CASE("one upstream subscription serves all, each in its protocol") {
    session_harness h;
    auto& two = h.connect();
    auto& three = speaker3(h);
    CHECK(h.ask(two, {"SUBSCRIBE", "news"}) == confirmed("subscribe", "news", 1));
    CHECK(h.ask(three, {"SUBSCRIBE", "news"}) == confirmed("subscribe", "news", 1, '>'));
    CHECK(h.redis.count_of("SUBSCRIBE") == 1);
    for (const std::size_t size : {std::size_t{1}, std::size_t{5'000}}) {
        const std::string text(size, 'm');
        h.redis.publish("news", text);
        h.turn();
        CHECK(h.take(two) == frame('*', {"message", "news", text}));
        CHECK(h.take(three) == frame('>', {"message", "news", text}));
    }
    (void)h.ask(two, {"UNSUBSCRIBE", "news"});
    CHECK(h.redis.count_of("UNSUBSCRIBE") == 0);
    h.redis.publish("news", "x");
    h.turn();
    CHECK(two.received.empty());
    CHECK(h.take(three) == frame('>', {"message", "news", "x"}));
    (void)h.ask(three, {"UNSUBSCRIBE"});
    CHECK(h.redis.count_of("UNSUBSCRIBE") == 1);
}

TEST_CASE("messages cut anywhere on their way arrive whole") {
    const std::string wanted =
        frame('*', {"message", "a", "one"}) + frame('*', {"pmessage", "a*", "a", "one"});
    for (std::size_t size = 1; size < wanted.size(); ++size) {
        session_harness h;
        auto& client = h.connect();
        h.send(client, joined({{"SUBSCRIBE", "a"}, {"PSUBSCRIBE", "a*"}}));
        (void)h.take(client);
        h.answers = false;
        h.redis.publish("a", "one");
        for (std::size_t i = 0; i <= wanted.size() / size; ++i) h.deliver(size);
        CHECK(client.received == wanted);
    }
}

TEST_CASE("a push never lands inside a reply") {
    for (std::size_t offset = 1; offset < 30; ++offset) {
        session_harness h;
        auto& client = speaker3(h);
        (void)h.ask(client, {"SUBSCRIBE", "a"});
        h.redis.strings["k"] = std::string(20, 'v');
        h.answers = false;
        h.command(client, {"GET", "k"});
        h.deliver(offset);
        h.redis.publish("a", "m");
        h.deliver(1000);
        const std::string reply = "$20\r\n" + std::string(20, 'v') + "\r\n";
        const std::string push = frame('>', {"message", "a", "m"});
        CHECK((client.received == reply + push || client.received == push + reply));
    }
}

TEST_CASE("RESP2 in subscribed mode hears few commands, RESP3 all") {
    session_harness h;
    auto& two = h.connect();
    (void)h.ask(two, {"SUBSCRIBE", "a"});
    CHECK(h.ask(two, {"GET", "k"}) ==
          "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
          "allowed in this "
          "context\r\n");
    CHECK(h.ask(two, {"FLUSHALL"}).rfind("-ERR Can't execute", 0) == 0);
    CHECK(h.ask(two, {"PING", "x"}) == frame('*', {"pong", "x"}));
    CHECK(h.ask(two, {"RESET"}) == "+RESET\r\n");
    CHECK(h.ask(two, {"GET", "k"}) == "$-1\r\n");
    CHECK(h.redis.connections.size() > 0);
    auto& three = speaker3(h);
    (void)h.ask(three, {"SUBSCRIBE", "a"});
    CHECK(h.ask(three, {"GET", "k"}) == "_\r\n");
    CHECK(h.ask(three, {"PING"}) == "+PONG\r\n");
}

TEST_CASE("UNSUBSCRIBE of what is not held, and of nothing") {
    session_harness h;
    auto& client = h.connect();
    CHECK(h.ask(client, {"UNSUBSCRIBE"}) == "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    CHECK(h.ask(client, {"PUNSUBSCRIBE", "x*"}) == confirmed("punsubscribe", "x*", 0));
}

TEST_CASE("PUBLISH counts clients, and waits for a subscription that is under way") {
    session_harness h;
    auto& a = h.connect();
    auto& b = h.connect();
    auto& publisher = h.connect();
    CHECK(h.ask(publisher, {"PUBLISH", "c", "x"}) == ":0\r\n");
    (void)h.ask(a, {"SUBSCRIBE", "c"});
    (void)h.ask(b, {"SUBSCRIBE", "c"});
    CHECK(h.ask(publisher, {"PUBLISH", "c", "x"}) == ":2\r\n");
    CHECK(h.take(a) == frame('*', {"message", "c", "x"}));
    h.send(publisher, joined({{"MULTI"}, {"PUBLISH", "c", "y"}, {"INCR", "n"}, {"EXEC"}}));
    CHECK(h.take(publisher) == "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:2\r\n:1\r\n");
    (void)h.take(b);
    auto& late = h.connect();
    h.answers = false;
    h.command(late, {"SUBSCRIBE", "d"});
    h.command(publisher, {"PUBLISH", "d", "z"});
    CHECK(publisher.side->stalled() == stall::publish);
    h.answers = true;
    h.turn();
    CHECK(h.take(publisher) == ":1\r\n");
    CHECK(late.received == confirmed("subscribe", "d", 1) + frame('*', {"message", "d", "z"}));
    CHECK(h.count().publish_fences >= 1);
}

TEST_CASE("a client that leaves while its subscription is under way holds nobody up") {
    session_harness h;
    auto& a = h.connect();
    auto& publisher = h.connect();
    h.answers = false;
    h.command(a, {"SUBSCRIBE", "d"});
    h.command(publisher, {"PUBLISH", "d", "z"});
    h.breaks(a);
    h.answers = true;
    h.turn();
    CHECK(publisher.received == ":0\r\n");
    CHECK(h.core->session_count() == 1);
}

TEST_CASE("PUBLISH and NUMSUB wait until upstream has ended a subscription") {
    for (const std::string_view asked : {"PUBLISH", "NUMSUB", "EXEC"}) {
        session_harness h;
        auto& a = h.connect();
        auto& publisher = h.connect();
        (void)h.ask(a, {"SUBSCRIBE", "c"});
        if (asked == "EXEC") {
            (void)h.ask(publisher, {"MULTI"});
            (void)h.ask(publisher, {"PUBLISH", "c", "x"});
        }
        h.answers = false;
        h.command(a, {"UNSUBSCRIBE", "c"});
        CHECK(h.take(a) == confirmed("unsubscribe", "c", 0));
        if (asked == "PUBLISH") h.command(publisher, {"PUBLISH", "c", "x"});
        if (asked == "NUMSUB") h.command(publisher, {"PUBSUB", "NUMSUB", "c"});
        if (asked == "EXEC") h.command(publisher, {"EXEC"});
        CHECK(publisher.side->stalled() == stall::publish);
        h.answers = true;
        h.turn();
        INFO(asked);
        CHECK(publisher.side->stalled() == stall::none);
        if (asked != "NUMSUB") CHECK(h.take(publisher).ends_with(":0\r\n"));
    }
}

TEST_CASE("an UNSUBSCRIBE that upstream loses or refuses holds nobody up for good") {
    session_harness h;
    auto& a = h.connect();
    auto& publisher = h.connect();
    (void)h.ask(a, {"SUBSCRIBE", "c"});
    h.answers = false;
    h.command(a, {"UNSUBSCRIBE", "c"});
    h.command(publisher, {"PUBLISH", "c", "x"});
    CHECK(publisher.side->stalled() == stall::publish);
    h.lose_links(link_lane::subscription);
    h.answers = true;
    h.turn();
    CHECK(publisher.side->stalled() == stall::none);
}

TEST_CASE("subscriptions are replayed after a loss and messages flow again") {
    session_harness h;
    auto& client = h.connect();
    h.send(client, joined({{"SUBSCRIBE", "a"}, {"PSUBSCRIBE", "p*"}}));
    (void)h.take(client);
    h.lose_links(link_lane::subscription);
    h.pass_slowly(milliseconds(1'100));
    CHECK_FALSE(client.closed);
    CHECK(client.received.empty());
    h.redis.publish("a", "1");
    h.redis.publish("p1", "2");
    h.turn();
    CHECK(client.received == frame('*', {"message", "a", "1"}) + frame('*', {"pmessage", "p*", "p1", "2"}));
    CHECK(h.count().subscription_gaps == 1);
    auto& publisher = h.connect();
    CHECK(h.ask(publisher, {"PUBLISH", "a", "3"}) == ":1\r\n");
}

TEST_CASE("a PUBLISH after an outage waits until what would hear it is subscribed again") {
    session_harness h;
    auto& client = h.connect();
    auto& publisher = h.connect();
    (void)h.ask(client, {"SUBSCRIBE", "a"});
    CHECK(h.ask(publisher, {"PUBLISH", "a", "1"}) == ":1\r\n");
    (void)h.take(client);
    SECTION("for all that listen") {
        h.lose_links(link_lane::subscription);
        h.command(publisher, {"PUBLISH", "a", "2"});
        CHECK(publisher.side->stalled() == stall::publish);
        h.pass_slowly(milliseconds(1'100));
        CHECK(h.take(publisher) == ":1\r\n");
        CHECK(client.received == frame('*', {"message", "a", "2"}));
    }
    SECTION("but not for what nobody wants any more") {
        h.lose_links(link_lane::subscription);
        h.command(publisher, {"PUBLISH", "a", "2"});
        h.breaks(client);
        h.turn();
        CHECK(h.take(publisher) == ":0\r\n");
    }
    SECTION("and no longer than the hold") {
        h.reachable = false;
        h.lose_links(link_lane::subscription);
        h.pass_slowly(milliseconds(3'200));
        CHECK(h.ask(publisher, {"PUBLISH", "a", "2"}) == ":0\r\n");
    }
}

TEST_CASE("all interleavings of two subscribers of one name") {
    std::vector<int> order{0, 0, 1, 1, 2, 2, 2};
    do {
        session_harness h;
        auto& a = h.connect();
        auto& b = h.connect();
        test_client* clients[] = {&a, &b};
        int step[2] = {0, 0};
        h.answers = false;
        for (const int actor : order) {
            if (actor == 2) {
                h.deliver(20);
            } else if (step[actor]++ == 0) {
                h.command(*clients[actor], {"SUBSCRIBE", "x"});
            } else {
                h.command(*clients[actor], {"UNSUBSCRIBE", "x"});
            }
        }
        h.answers = true;
        h.turn();
        const std::string wanted = confirmed("subscribe", "x", 1) + confirmed("unsubscribe", "x", 0);
        CHECK(a.received == wanted);
        CHECK(b.received == wanted);
        h.redis.publish("x", "nobody");
        h.turn();
        CHECK(a.received == wanted);
        CHECK(h.redis.publish("x", "m") == 0);
    } while (std::next_permutation(order.begin(), order.end()));
}
