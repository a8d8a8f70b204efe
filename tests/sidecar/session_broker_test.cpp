#include <catch2/catch.hpp>

#include "broker/wire_note.hpp"
#include "tests/sidecar/session_harness.hpp"

using namespace tests;
using broker::wire_kind;

namespace {

struct told {
    wire_kind kind;
    std::string key;
    std::string text;
    bool operator==(const told&) const = default;
};

std::ostream& operator<<(std::ostream& out, const told& t) {
    return out << static_cast<int>(t.kind) << ' ' << t.key << ' ' << t.text;
}

using list = std::vector<told>;

// What was told of one client since the last look, without its arrival.
list heard(session_harness& h, const test_client& of) {
    h.pass(milliseconds(30));
    list notes;
    const std::string batch = std::exchange(h.noted, {});
    broker::note_reader reader(batch);
    for (broker::wire_note n; reader.next(n);)
        if (n.client == of.id && n.kind != wire_kind::connected)
            notes.push_back({n.kind, std::string(n.key), std::string(n.text)});
    return notes;
}

test_client& broker_client(session_harness& h) {
    h.listen();
    auto& client = h.connect();
    CHECK(h.ask(client, {"SELECT", "2"}) == "+OK\r\n");
    return client;
}

}  // namespace

TEST_CASE("a push is told once it has succeeded", "[sidecar][session_broker]") {
    session_harness h;
    auto& client = broker_client(h);
    h.answers = false;
    h.command(client, {"RPUSH", "celery", "{}"});
    CHECK(heard(h, client).empty());
    h.answers = true;
    CHECK(heard(h, client) == list{{wire_kind::pushed, "celery", "{}"}});
    h.redis.scripted["RPUSH"] = "-OOM command not allowed\r\n";
    h.command(client, {"RPUSH", "celery", "{}"});
    CHECK(heard(h, client).empty());
}

TEST_CASE("nothing is told of other dbs, nor of any when inspection is off", "[sidecar][session_broker]") {
    session_harness h;
    h.listen();
    auto& other = h.connect();
    h.command(other, {"RPUSH", "celery", "{}"});
    CHECK(heard(h, other).empty());

    config off = session_harness::relaxed();
    off.broker.mode = broker_mode::off;
    session_harness quiet(off);
    auto& client = broker_client(quiet);
    quiet.command(client, {"RPUSH", "celery", "{}"});
    CHECK(heard(quiet, client).empty());
}

TEST_CASE("of a client is told who it is before what it does, and that it is gone",
          "[sidecar][session_broker]") {
    session_harness h;
    h.listen();
    auto& client = h.connect();
    h.command(client, {"CLIENT", "SETNAME", "w1"});
    h.command(client, {"SELECT", "2"});
    h.command(client, {"RPUSH", "celery", "{}"});
    h.pass(milliseconds(30));
    broker::note_reader reader(h.noted);
    broker::wire_note first;
    REQUIRE(reader.next(first));
    CHECK(first.kind == wire_kind::connected);
    CHECK(first.text == "10.0.0.1:50000");
    CHECK(heard(h, client) == list{{wire_kind::named, "name", "w1"}, {wire_kind::pushed, "celery", "{}"}});
    h.breaks(client);
    CHECK(heard(h, client) == list{{wire_kind::gone, "", ""}});
}

TEST_CASE("a transaction is told when EXEC ran, sent whole or typed", "[sidecar][session_broker]") {
    session_harness h;
    auto& client = broker_client(h);
    const std::string whole = resp::command({"MULTI"}) + resp::command({"RPUSH", "q", "a"}) +
                              resp::command({"RPUSH", "q", "b"}) + resp::command({"EXEC"});
    const list both{{wire_kind::pushed, "q", "a"}, {wire_kind::pushed, "q", "b"}};
    h.send(client, whole);
    CHECK(heard(h, client) == both);

    for (const auto* word : {"MULTI"}) h.command(client, {word});
    h.command(client, {"RPUSH", "q", "a"});
    h.command(client, {"RPUSH", "q", "b"});
    CHECK(heard(h, client).empty());
    h.command(client, {"EXEC"});
    CHECK(heard(h, client) == both);

    h.command(client, {"MULTI"});
    h.command(client, {"RPUSH", "q", "a"});
    h.command(client, {"DISCARD"});
    CHECK(heard(h, client).empty());
}

TEST_CASE("a transaction that a WATCH undid is not told", "[sidecar][session_broker]") {
    session_harness h;
    auto& client = broker_client(h);
    auto& other = broker_client(h);
    h.command(client, {"WATCH", "k"});
    h.command(other, {"SET", "k", "1"});
    h.send(client, resp::command({"MULTI"}) + resp::command({"RPUSH", "q", "a"}) + resp::command({"EXEC"}));
    CHECK(heard(h, client).empty());
}

TEST_CASE("a waiting pop is told with its keys, and how it ended", "[sidecar][session_broker]") {
    session_harness h;
    auto& client = broker_client(h);
    h.command(client, {"BLPOP", "a", "b", "1"});
    CHECK(heard(h, client) == list{{wire_kind::waits, "", "a\nb"}});
    h.redis.push("b", "{}");
    h.turn();
    CHECK(heard(h, client) == list{{wire_kind::popped, "b", "{}"}});
    h.command(client, {"BLPOP", "a", "0"});
    CHECK(client.side->unblock(parked_call::unblock_as::timeout));
    h.turn();
    CHECK(heard(h, client) == list{{wire_kind::waits, "", "a"}, {wire_kind::waits_over, "", ""}});
}

TEST_CASE("a pop that does not wait is told by what it got", "[sidecar][session_broker]") {
    session_harness h;
    auto& client = broker_client(h);
    h.redis.scripted["RPOP"] = "$2\r\n{}\r\n";
    CHECK(h.ask(client, {"RPOP", "q"}) == "$2\r\n{}\r\n");
    CHECK(heard(h, client) == list{{wire_kind::popped, "q", "{}"}});
    h.redis.scripted["RPOP"] = "$-1\r\n";
    CHECK(h.ask(client, {"RPOP", "q"}) == "$-1\r\n");
    CHECK(heard(h, client).empty());
}

TEST_CASE("subscriptions and publications are told", "[sidecar][session_broker]") {
    session_harness h;
    auto& client = broker_client(h);
    h.command(client, {"PUBLISH", "/2.celeryev", "{}"});
    CHECK(heard(h, client) == list{{wire_kind::published, "/2.celeryev", "{}"}});
    h.command(client, {"PSUBSCRIBE", "/2.celeryev/*"});
    CHECK(heard(h, client) == list{{wire_kind::listens, "/2.celeryev/*", ""}});
}
