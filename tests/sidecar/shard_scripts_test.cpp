#include <catch2/catch.hpp>

#include "tests/sidecar/session_harness.hpp"

using namespace tests;

namespace {

const std::string busy = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL.\r\n";

// A script that came by the shared link and does not end: Redis reads nothing more there.
struct endless_script {
    explicit endless_script(session_harness& harness) : h(harness) {
        h.redis.scripted["EVAL"] = "";
        h.command(caller, {"EVAL", "while true do end", "0"});
        for (auto* w : h.wires())
            if (w->side->key().lane == link_lane::main && w->side->in_flight() > 0) wire = w;
        wire->redis->blocked = {"EVAL"};
    }
    void make_known() { h.redis.scripted["PING"] = busy; }
    void end() {
        h.redis.scripted.erase("PING");
        wire->redis->blocked.clear();
        wire->redis->output += ":1\r\n";
        h.redis.receive(*wire->redis, "");
        h.pass_slowly(milliseconds(200));
    }

    session_harness& h;
    test_client& caller = h.connect();
    test_wire* wire = nullptr;
};

}  // namespace

TEST_CASE("while a script does not end, reads behind it are answered BUSY and writes wait") {
    session_harness h;
    endless_script script(h);
    auto& reader = h.connect();
    auto& writer = h.connect();
    h.command(reader, {"GET", "k"});
    h.command(reader, {"PING"});
    h.command(writer, {"INCR", "n"});
    h.command(script.caller, {"GET", "k"});
    script.make_known();
    h.pass_slowly(milliseconds(200));
    CHECK(h.take(reader) == busy + busy);
    CHECK(h.take(writer).empty());
    CHECK(h.take(script.caller).empty());
    script.end();
    CHECK(h.take(script.caller) == ":1\r\n$-1\r\n");
    CHECK(h.take(writer) == ":1\r\n");
    CHECK(h.take(reader).empty());
    CHECK(h.ask(reader, {"INCR", "n"}) == ":2\r\n");
}

TEST_CASE("a script whose answer waits behind another that Redis has not written yet is seen as well") {
    session_harness h;
    h.redis.scripted["GET"] = "";
    auto& early = h.connect();
    h.command(early, {"GET", "run already"});
    endless_script script(h);
    auto& reader = h.connect();
    h.command(reader, {"PING"});
    script.make_known();
    h.pass_slowly(milliseconds(200));
    CHECK(h.take(early).empty());
    CHECK(h.take(reader) == busy);
    h.redis.scripted.erase("GET");
    script.wire->redis->output += "$-1\r\n";
    script.end();
    CHECK(h.take(early) == "$-1\r\n");
    CHECK(h.take(script.caller) == ":1\r\n");
}

TEST_CASE("what comes while the script is known is answered at once and never run") {
    session_harness h;
    endless_script script(h);
    script.make_known();
    h.pass_slowly(milliseconds(200));
    auto& late = h.connect();
    h.send(late, resp::command({"INCR", "n"}) + resp::command({"MULTI"}) + resp::command({"INCR", "n"}) +
                     resp::command({"EXEC"}) + resp::command({"GET", "n"}));
    h.command(script.caller, {"INCR", "own"});
    h.pass_slowly(milliseconds(100));
    CHECK(h.take(late) == busy + "+OK\r\n" + busy +
                              "-EXECABORT Transaction discarded because of previous errors.\r\n" + busy);
    CHECK(h.count().commands_refused_busy == 5);
    script.end();
    CHECK(h.take(script.caller) == ":1\r\n:1\r\n");
    CHECK(h.redis.strings.count("n") == 0);
    CHECK(h.ask(late, {"GET", "own"}) == "$1\r\n1\r\n");
    CHECK_FALSE(late.closed);
}

TEST_CASE("a slow script that Redis does not call too slow delays commands and refuses none") {
    session_harness h;
    endless_script script(h);
    auto& other = h.connect();
    h.pass_slowly(milliseconds(200));
    h.command(other, {"INCR", "n"});
    h.pass_slowly(milliseconds(800));
    CHECK(h.take(other).empty());
    CHECK(h.redis.strings.count("n") == 0);
    script.end();
    CHECK(h.take(other) == ":1\r\n");
    CHECK(h.count().commands_refused_busy == 0);
}

TEST_CASE("whoever needs a connection of its own while a script runs hears BUSY instead of waiting") {
    session_harness h;
    auto& client = h.connect();
    h.redis.scripted["PING"] = busy;
    h.command(client, {"MULTI"});
    h.pass_slowly(milliseconds(500));
    CHECK(h.take(client) == busy);
    CHECK_FALSE(client.closed);
    h.redis.scripted.erase("PING");
    h.pass_slowly(milliseconds(1'200));
    CHECK(h.ask(client, {"MULTI"}) == "+OK\r\n");
    CHECK(h.ask(client, {"INCR", "n"}) == "+QUEUED\r\n");
    CHECK(h.ask(client, {"EXEC"}) == "*1\r\n:1\r\n");
}
