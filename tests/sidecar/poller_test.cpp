#include "sidecar/core/poller.hpp"

#include "tests/sidecar/session_harness.hpp"

using namespace tests;

TEST_CASE("calls beyond the leases are served in fair order") {
    config settings = session_harness::relaxed();
    settings.leases_max = 2;
    session_harness h(settings);
    std::vector<test_client*> workers;
    for (int i = 0; i < 20; ++i) {
        workers.push_back(&h.connect());
        h.command(*workers.back(), {"BLPOP", "q", "0"});
    }
    CHECK(h.connections(link_lane::lease) <= 2);
    for (int i = 0; i < 20; ++i) {
        h.redis.push("q", std::to_string(i));
        h.pass_slowly(milliseconds(120));
    }
    std::set<std::string> got;
    for (auto* worker : workers) {
        CHECK_FALSE(worker->side->blocked());
        got.insert(worker->received);
    }
    CHECK(got.size() == 20);
    CHECK(h.redis.lists["q"].empty());
    CHECK(h.core->leases.waiting() == 0);
}

TEST_CASE("time-outs without a connection are the sidecar's to keep") {
    config settings = session_harness::relaxed();
    settings.leases_max = 1;
    session_harness h(settings);
    auto& first = h.connect();
    auto& second = h.connect();
    auto& third = h.connect();
    h.command(first, {"BLPOP", "a", "0"});
    h.command(second, {"BLPOP", "b", "1"});
    h.command(third, {"HELLO", "3"});
    (void)h.take(third);
    h.command(third, {"BLPOP", "b", "2"});
    h.pass_slowly(milliseconds(900));
    CHECK(second.received.empty());
    h.pass_slowly(milliseconds(200));
    CHECK(h.take(second) == "*-1\r\n");
    h.pass_slowly(milliseconds(1'000));
    CHECK(h.take(third) == "_\r\n");
    CHECK(first.side->blocked());
}

namespace {

// One lease, kept by another; the worker's call is polled for, and the answer to that is on its way.
struct polled_worker {
    session_harness h{[] {
        config settings = session_harness::relaxed();
        settings.leases_max = 1;
        return settings;
    }()};
    test_client& holder = h.connect();
    test_client& worker = h.connect();

    polled_worker() {
        CHECK(h.ask(holder, {"WATCH", "k"}) == "+OK\r\n");
        h.command(worker, {"BLPOP", "q", "10"});
        h.pass_slowly(milliseconds(60));
        h.answers = false;
    }
    void poll_finds(const std::string& element) {
        h.redis.push("q", element);
        h.pass_slowly(milliseconds(60));
        CHECK(h.redis.lists["q"].empty());
    }
    void grant() {
        h.breaks(holder);
        h.pass_slowly(milliseconds(20));
        CHECK(h.core->leases.in_use() == 1);
        CHECK(h.core->leases.waiting() == 0);
    }
    void answer() {
        h.answers = true;
        h.turn();
    }
    [[nodiscard]] bool pops_on_lease() const {
        return h.seen_on(link_lane::lease).find("BLPOP") != std::string::npos;
    }
};

}  // namespace

TEST_CASE("a call granted a connection while it is polled for pops once") {
    polled_worker w;
    w.poll_finds("first");
    w.grant();
    w.h.redis.push("q", "second");
    w.h.pass_slowly(milliseconds(20));
    CHECK(w.h.redis.lists["q"].size() == 1);
    w.answer();
    CHECK(w.h.take(w.worker) == "*2\r\n$1\r\nq\r\n$5\r\nfirst\r\n");
    CHECK(w.h.redis.lists["q"] == std::deque<std::string>{"second"});
    CHECK(w.h.count().put_backs == 0);
    CHECK(w.h.core->leases.in_use() == 0);
}

TEST_CASE("a call granted a connection while it is polled for uses it when nothing was found") {
    polled_worker w;
    w.h.pass_slowly(milliseconds(60));
    w.grant();
    CHECK_FALSE(w.pops_on_lease());
    SECTION("the poll is answered") {
        w.answer();
    }
    SECTION("the poll is lost") {
        w.h.lose_links(link_lane::main);
        w.answer();
    }
    CHECK(w.pops_on_lease());
    w.h.redis.push("q", "job");
    w.h.turn();
    CHECK(w.h.take(w.worker) == "*2\r\n$1\r\nq\r\n$3\r\njob\r\n");
    CHECK(w.h.redis.lists["q"].empty());
    w.h.pass_slowly(milliseconds(100));
    CHECK(w.h.core->polls.empty());
}

TEST_CASE("a connection granted to a polled call that gives up goes to the next") {
    polled_worker w;
    w.h.pass_slowly(milliseconds(60));
    w.grant();
    SECTION("unblocked") {
        auto& boss = w.h.connect();
        w.h.command(boss, {"CLIENT", "UNBLOCK", std::to_string(w.worker.id)});
        CHECK(w.h.take(w.worker) == "*-1\r\n");
    }
    SECTION("out of time") {
        w.h.pass_slowly(milliseconds(10'000));
        CHECK(w.h.take(w.worker) == "*-1\r\n");
    }
    SECTION("gone") {
        w.h.breaks(w.worker);
    }
    CHECK(w.h.core->leases.in_use() == 0);
    w.answer();
    auto& next = w.h.connect();
    CHECK(w.h.ask(next, {"WATCH", "k"}) == "+OK\r\n");
    CHECK(w.h.core->leases.in_use() == 1);
}
