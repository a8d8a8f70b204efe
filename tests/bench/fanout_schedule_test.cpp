#include "bench/load/fanout_schedule.hpp"

#include <catch2/catch.hpp>

using namespace bench;
using namespace std::chrono_literals;

namespace {

step_plan plan_of(double rate, std::uint32_t burst = 1) {
    step_plan plan;
    plan.rate = rate;
    plan.burst = burst;
    plan.time = 1s;
    return plan;
}

}  // namespace

TEST_CASE("messages are due by the clock, whatever has arrived") {
    schedule times(plan_of(10));
    CHECK(times.due(0ms, 0));
    times.take();
    CHECK_FALSE(times.due(99ms, 0));
    CHECK(times.next(99ms) == 100ms);
    CHECK(times.due(100ms, 0));
    // Late: all that was missed is due, each at its own time.
    int taken = 0;
    while (times.due(450ms, 0)) {
        CHECK(times.next(450ms) == (1 + taken) * 100ms);
        times.take();
        ++taken;
    }
    CHECK(taken == 4);
}

TEST_CASE("a burst is due at one moment and the rate is that of its messages") {
    schedule times(plan_of(100, 10));
    times.take();
    CHECK(times.next(0ms) == 100ms);
}

TEST_CASE("a step ends by its time or its messages") {
    schedule by_time(plan_of(2));
    by_time.take();
    CHECK_FALSE(by_time.over(0ms));
    by_time.take();
    CHECK(by_time.over(0ms));  // the next would be due when the time is over
    CHECK_FALSE(by_time.due(2s, 0));
    step_plan few = plan_of(1000, 5);
    few.messages_max = 10;
    schedule by_count(few);
    by_count.take();
    CHECK_FALSE(by_count.over(0ms));
    by_count.take();
    CHECK(by_count.over(0ms));
}

TEST_CASE("saturated, so many batches are on their way and no more") {
    step_plan plan = plan_of(1);
    plan.how = pacing::saturated;
    plan.window = 2;
    schedule times(plan);
    times.take();
    CHECK(times.due(0ms, 0));
    times.take();
    CHECK_FALSE(times.due(500ms, 0));
    CHECK(times.due(500ms, 1));
    CHECK(times.next(500ms) == 500ms);
    CHECK_FALSE(times.due(1s, 2));
}

TEST_CASE("a ramp goes from rate to rate and ends at the last") {
    CHECK(ramp_rates("100:400:2") == std::vector<double>{100, 200, 400});
    CHECK(ramp_rates("100:300:2") == std::vector<double>{100, 200, 300});
    CHECK(ramp_rates("5:5") == std::vector<double>{5});
    CHECK(ramp_rates("10:20") == std::vector<double>{10, 15, 20});
    CHECK(ramp_rates("1:1000000000:1.0001").size() <= 101);
    for (const std::string_view wrong :
         {"", "5", "a:b", "5:1", "0:5", "1:5:1", "1:5:2:9", "1:5:x", "1:nan"}) {
        INFO(wrong);
        CHECK(ramp_rates(wrong).empty());
    }
}

TEST_CASE("the knee is the highest rate before the first that was too much") {
    knee_rule rule;
    const step_verdict good{100, 100, 1ms, true};
    CHECK(keeps_up(good, rule));
    CHECK_FALSE(keeps_up({100, 90, 1ms, true}, rule));
    CHECK_FALSE(keeps_up({100, 100, 51ms, true}, rule));
    CHECK_FALSE(keeps_up({100, 100, 1ms, false}, rule));
    CHECK(knee({good, {200, 200, 2ms, true}, {400, 200, 900ms, true}, {800, 800, 1ms, true}}, rule) == 200);
    CHECK_FALSE(knee({{100, 10, 1ms, true}}, rule));
    CHECK_FALSE(knee({}, rule));
}
