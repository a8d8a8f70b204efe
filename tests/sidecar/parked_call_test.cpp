#include "sidecar/core/parked_call.hpp"

#include "tests/sidecar/session_harness.hpp"
#include "tests/support/fragments.hpp"

using namespace tests;

namespace {

std::string joined(std::initializer_list<std::initializer_list<std::string_view>> commands) {
    std::string out;
    for (const auto& c : commands) out += resp::command(c);
    return out;
}

std::string popped(const std::string& key, const std::string& element) {
    std::string out = "*2\r\n";
    resp::append_bulk(out, key);
    resp::append_bulk(out, element);
    return out;
}

}  // namespace

TEST_CASE("a parked call keeps the client's order and nobody else's") {
    session_harness h;
    auto& worker = h.connect();
    auto& other = h.connect();
    h.send(worker, joined({{"SET", "k", "v"}, {"BLPOP", "q", "0"}, {"GET", "k"}, {"CLIENT", "GETNAME"}}));
    CHECK(h.take(worker) == "+OK\r\n");
    CHECK(worker.side->blocked());
    CHECK(h.ask(other, {"GET", "k"}) == "$1\r\nv\r\n");
    CHECK(h.ask(other, {"RPUSH", "q", "job"}) == ":0\r\n");
    CHECK(h.take(worker) == popped("q", "job") + "$1\r\nv\r\n$-1\r\n");
    CHECK_FALSE(worker.side->blocked());
    CHECK(h.core->leases.in_use() == 0);
    CHECK(h.core->leases.idle() == 1);
}

TEST_CASE("a call without a timeout outlives every limit of the sidecar's own") {
    session_harness h;
    auto& worker = h.connect();
    h.command(worker, {"BLPOP", "q", "0"});
    for (int i = 0; i < 720; ++i) h.pass(std::chrono::seconds(10));
    CHECK(worker.side->blocked());
    CHECK_FALSE(worker.closed);
    CHECK(h.core->leases.in_use() == 1);
    h.redis.push("q", "late");
    h.turn();
    CHECK(h.take(worker) == popped("q", "late"));
    CHECK(h.count().links_lost == 0);
}

TEST_CASE("a parked call, however it is cut") {
    each_fragmentation(
        joined({{"RPUSH", "q", "a"}, {"BLPOP", "q", "0"}, {"BLPOP", "q", "0"}, {"PING"}}),
        [](const pieces& parts) {
            session_harness h;
            auto& worker = h.connect();
            for (const auto part : parts) h.send(worker, part);
            CHECK(worker.received == ":1\r\n" + popped("q", "a"));
            h.redis.push("q", "b");
            h.turn();
            CHECK(worker.received == ":1\r\n" + popped("q", "a") + popped("q", "b") + "+PONG\r\n");
        });
}

TEST_CASE("an abandoned call is ended upstream and its connection used again") {
    session_harness h;
    auto& worker = h.connect();
    h.command(worker, {"BLPOP", "q", "0"});
    SECTION("broken") {
        h.breaks(worker);
    }
    SECTION("half-closed") {
        h.end_of_stream(worker);
    }
    CHECK(worker.closed);
    CHECK(h.core->session_count() == 0);
    CHECK(h.core->leases.in_use() == 0);
    CHECK(h.core->leases.idle() == 1);
    h.redis.push("q", "job");
    h.turn();
    CHECK(h.redis.lists["q"].size() == 1);
}

TEST_CASE("what is popped for a client that has gone goes back, in order") {
    session_harness h;
    auto& worker = h.connect();
    h.command(worker, {"BLPOP", "q", "0"});
    h.answers = false;
    h.redis.push("q", "first");
    h.redis.push("q", "second");
    CHECK(h.redis.lists["q"].size() == 1);
    h.breaks(worker);
    h.answers = true;
    h.turn();
    CHECK(h.redis.lists["q"] == std::deque<std::string>{"first", "second"});
    CHECK(h.count().put_backs == 1);
    CHECK(h.core->leases.in_use() == 0);
}

TEST_CASE("what is popped but never reaches the client's socket goes back") {
    session_harness h;
    auto& worker = h.connect();
    h.command(worker, {"BLPOP", "q", "0"});
    worker.reads = false;
    h.redis.push("q", "job");
    h.turn();
    CHECK(h.redis.lists["q"].empty());
    h.breaks(worker);
    CHECK(h.redis.lists["q"] == std::deque<std::string>{"job"});
    CHECK(h.count().put_backs == 1);
}

TEST_CASE("a put-back whose answer was lost is tried again and runs once") {
    session_harness h;
    auto& worker = h.connect();
    h.command(worker, {"BLPOP", "q", "0"});
    worker.reads = false;
    h.redis.push("q", "job");
    h.turn();
    h.answers = false;
    h.breaks(worker);
    CHECK(h.redis.lists["q"] == std::deque<std::string>{"job"});
    CHECK(h.redis.strings.size() == 1);
    h.lose_links();
    h.answers = true;
    h.pass_slowly(milliseconds(500));
    CHECK(h.count().put_backs_failed == 1);
    CHECK(h.count().put_backs == 1);
    CHECK(h.redis.lists["q"] == std::deque<std::string>{"job"});
    CHECK(h.redis.strings.empty());
}

TEST_CASE("what the socket has taken stays popped") {
    session_harness h;
    auto& worker = h.connect();
    h.command(worker, {"BLPOP", "q", "0"});
    h.redis.push("q", "job");
    h.turn();
    CHECK(h.take(worker) == popped("q", "job"));
    h.breaks(worker);
    CHECK(h.redis.lists["q"].empty());
    CHECK(h.count().put_backs == 0);
}

TEST_CASE("a pop whose reply the client does not want is consumed all the same") {
    session_harness h;
    auto& worker = h.connect();
    h.redis.push("q", "job");
    h.send(worker, joined({{"CLIENT", "REPLY", "OFF"}, {"BLPOP", "q", "0"}}));
    CHECK(h.redis.lists["q"].empty());
    h.breaks(worker);
    CHECK(h.redis.lists["q"].empty());
}

TEST_CASE("a lost connection parks the call anew, with the time that remains") {
    session_harness h;
    auto& worker = h.connect();
    h.command(worker, {"BLPOP", "q", "10"});
    h.pass_slowly(milliseconds(4'000));
    h.lose_links();
    h.pass_slowly(milliseconds(1'500));
    CHECK_FALSE(worker.closed);
    CHECK(worker.side->blocked());
    std::string timeout;
    for (const auto& [db, args] : h.redis.log)
        if (upper(args[0]) == "BLPOP") timeout = args.back();
    CHECK(std::stod(timeout) <= 6.0);
    CHECK(std::stod(timeout) >= 4.0);
    h.redis.push("q", "job");
    h.turn();
    CHECK(h.take(worker) == popped("q", "job"));
    CHECK(h.count().parked_reissued >= 1);
    CHECK(h.count().pops_unknown == 1);
}

// Found by session_fuzz.
TEST_CASE("a call that lost its connection to another client is polled meanwhile") {
    config settings = session_harness::relaxed();
    settings.leases_max = 1;
    session_harness h(settings);
    auto& worker = h.connect();
    auto& other = h.connect();
    h.command(worker, {"BLPOP", "q", "0"});
    h.command(other, {"WATCH", "k"});
    h.lose_links(link_lane::lease);
    h.pass_slowly(milliseconds(100));
    CHECK(h.take(other) == "+OK\r\n");
    h.pass_slowly(milliseconds(600));  // not at once: a connection may come
    h.redis.push("q", "job");
    h.pass_slowly(milliseconds(100));
    CHECK(h.take(worker) == popped("q", "job"));
    CHECK(h.core->leases.waiting() == 0);
}

TEST_CASE("a long outage does not end a parked call, its own time does") {
    session_harness h;
    auto& forever = h.connect();
    auto& patient = h.connect();
    h.command(forever, {"BLPOP", "q", "0"});
    h.command(patient, {"BLPOP", "q", "5"});
    h.reachable = false;
    h.lose_links();
    h.pass_slowly(milliseconds(5'200));
    CHECK(h.take(patient) == "*-1\r\n");
    CHECK_FALSE(patient.closed);
    CHECK(forever.side->blocked());
    h.reachable = true;
    h.pass_slowly(milliseconds(1'500));
    h.redis.push("q", "job");
    h.turn();
    CHECK(h.take(forever) == popped("q", "job"));
}

TEST_CASE("CLIENT UNBLOCK reaches a call on a connection and one that waits for one") {
    config settings = session_harness::relaxed();
    settings.leases_max = 1;
    session_harness h(settings);
    auto& first = h.connect();
    auto& second = h.connect();
    auto& boss = h.connect();
    h.command(first, {"BLPOP", "a", "0"});
    h.command(second, {"BLPOP", "b", "0"});
    CHECK(h.ask(boss, {"CLIENT", "UNBLOCK", std::to_string(second.id), "ERROR"}) == ":1\r\n");
    CHECK(h.take(second) == "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    CHECK(h.ask(boss, {"CLIENT", "UNBLOCK", std::to_string(first.id)}) == ":1\r\n");
    CHECK(h.take(first) == "*-1\r\n");
    CHECK(h.ask(boss, {"CLIENT", "UNBLOCK", std::to_string(first.id)}) == ":0\r\n");
    CHECK(h.ask(first, {"PING"}) == "+PONG\r\n");
    CHECK(h.core->leases.in_use() == 0);
}

TEST_CASE("draining answers parked calls with nil and ends everybody") {
    session_harness h;
    auto& worker = h.connect();
    auto& idle = h.connect();
    h.command(worker, {"BLPOP", "q", "0"});
    h.core->begin_drain();
    h.turn();
    CHECK(worker.received == "*-1\r\n");
    CHECK(worker.closed);
    CHECK(idle.closed);
    CHECK(h.core->drained());
}

// The element arrives, the client leaves, upstream's bytes trickle: in every order the element is delivered
// or back in the list, never both and never lost.
TEST_CASE("an element is never lost, whenever the client leaves") {
    std::vector<int> order{0, 1, 2, 2, 2, 2};
    do {
        session_harness h;
        auto& worker = h.connect();
        (void)h.ask(worker, {"PING"});
        h.answers = false;
        h.command(worker, {"BLPOP", "q", "0"});
        for (const int actor : order) {
            if (actor == 0) h.redis.push("q", "job");
            if (actor == 1) h.breaks(worker);
            if (actor == 2) h.deliver(9);
        }
        h.answers = true;
        h.turn();
        h.pass_slowly(milliseconds(300));
        const bool delivered = worker.received == popped("q", "job");
        CHECK(h.redis.lists["q"].size() == (delivered ? 0 : 1));
        CHECK(h.core->leases.in_use() == 0);
        CHECK(h.core->session_count() == 0);
    } while (std::next_permutation(order.begin(), order.end()));
}
