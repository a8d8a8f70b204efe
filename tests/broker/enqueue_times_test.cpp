#include "broker/enqueue_times.hpp"

#include "catch2/catch.hpp"

using broker::enqueue_times;

namespace {
std::string tag(int number) {
    return "tag-" + std::to_string(number);
}
}  // namespace

TEST_CASE("enqueue_times knows the oldest that waits, wherever others were taken",
          "[broker][enqueue_times]") {
    enqueue_times times(100);
    for (int i = 1; i <= 5; ++i) CHECK(times.waits(tag(i), 0, i * 10));
    times.taken(tag(3));
    times.taken(tag(1));
    CHECK(times.oldest_us(0) == 20);
    CHECK(times.waiting(0) == 3);
    // Back to the end of the line, with its first time.
    times.waits(tag(1), 0, 999);
    CHECK(times.oldest_us(0) == 10);
    times.waits(tag(2), 7, 999);
    CHECK(times.waiting(0) == 3);
    CHECK(times.oldest_us(7) == 20);
    times.trim(0, 1);
    CHECK(times.oldest_us(0) == 50);
    times.trim(0, 0);
    CHECK(times.oldest_us(0) == std::nullopt);
    CHECK(times.find(tag(5))->enqueued_us == 50);
    CHECK(times.oldest_us(12345) == std::nullopt);
}

TEST_CASE("enqueue_times tells Redis only of what lives longer than a moment", "[broker][enqueue_times]") {
    enqueue_times times(100);
    times.waits(tag(1), 0, 10);
    times.waits(tag(2), 0, 20);
    times.forget(tag(1));
    auto changes = times.take_changes(100);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].tag == tag(2));
    CHECK(changes[0].enqueued_us == 20);
    times.waits(tag(2), 0, 30);
    CHECK(times.take_changes(100).empty());
    times.forget(tag(2));
    changes = times.take_changes(100);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].enqueued_us == 0);
}

TEST_CASE("enqueue_times is bounded, expires, and leaves nothing behind a head that stays",
          "[broker][enqueue_times]") {
    enqueue_times times(1'000);
    times.waits(tag(0), 0, 1);
    for (int i = 1; i < 20'000; ++i) {
        times.waits(tag(i), 0, i + 1);
        times.forget(tag(i));
    }
    CHECK(times.size() == 1);
    CHECK(times.oldest_us(0) == 1);
    for (int i = 1; i < 2'000; ++i) times.waits(tag(i), 1, 100);
    CHECK(times.size() == 1'000);
    CHECK(times.refused() == 1'000);
    times.expire(50);
    CHECK(times.find(tag(0)) == nullptr);
    CHECK(times.waiting(0) == 0);
    times.restore(tag(0), 5);
    CHECK(times.find(tag(0))->enqueued_us == 5);
}
