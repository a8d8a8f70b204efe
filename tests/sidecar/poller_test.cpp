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
