#include "broker/celery_event.hpp"

#include "tests/broker/golden.hpp"
#include "tests/broker/messages.hpp"

using namespace broker;

TEST_CASE("A heartbeat") {
    for (const auto& release : tests::golden_releases) {
        const auto read = read_events(tests::golden(release, "event-heartbeat"));
        CHECK(read.error.empty());
        REQUIRE(read.events.size() == 1);
        const auto& event = read.events[0];
        CHECK(event.type == "worker-heartbeat");
        CHECK(event.hostname == "w1@host");
        CHECK_FALSE(event.is_task());
        CHECK(event.whole("active") == 1);
        CHECK(event.real("freq") == 2.0);
        CHECK(event.pid > 0);
        CHECK(event.clock > 0);
        CHECK(event.timestamp_s > 1.6e9);
        CHECK(event.utcoffset_h == 0);
    }
}

TEST_CASE("A list of task events") {
    for (const auto& release : tests::golden_releases) {
        const auto read = read_events(tests::golden(release, "event-tasks"));
        REQUIRE(read.events.size() == 2);
        CHECK(read.events[0].type == "task-started");
        CHECK(read.events[1].uuid == "id-1");
        CHECK(read.events[1].is_task());
        CHECK(read.events[1].text("result") == "'ok'");
        CHECK(read.events[1].real("runtime") == 0.25);
        CHECK_FALSE(read.events[1].real("result"));
        CHECK_FALSE(read.events[1].whole("nothing"));
    }
}

TEST_CASE("What is no event") {
    CHECK_FALSE(read_events("garbage").error.empty());
    CHECK(read_events(tests::message("e30=", "{}")).error == "not an event");
    // [{"type": "a"}, 7]
    const auto half = read_events(tests::message("W3sidHlwZSI6ICJhIn0sIDdd", "{}"));
    CHECK(half.events.size() == 1);
    CHECK(half.error == "not an event");
}
