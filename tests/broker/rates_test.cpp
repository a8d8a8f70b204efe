#include "broker/rates.hpp"

#include "catch2/catch.hpp"

using broker::rate_meter;

namespace {
constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t start = 1'790'000'000 * second;
}  // namespace

TEST_CASE("rate_meter takes the mean of full seconds, the current one left out", "[broker][rates]") {
    rate_meter meter;
    CHECK(meter.per_second(start, 10) == 0);
    for (int i = 0; i < 30; ++i) meter.add(start + i * second, 3);
    meter.add(start + 30 * second, 100);
    CHECK(meter.per_second(start + 30 * second, 10) == Approx(3));
    CHECK(meter.per_second(start + 30 * second, 60) == Approx(3));
    CHECK(meter.per_second(start + 31 * second, 10) == Approx((9 * 3 + 100) / 10.0));
}

TEST_CASE("rate_meter falls to zero and takes what comes late or out of order", "[broker][rates]") {
    rate_meter meter;
    meter.add(start);
    CHECK(meter.per_second(start + 100 * second, 60) == 0);
    meter.add(start + 1'000 * second, 5);
    meter.add(start + 999 * second, 5);
    meter.add(start);
    CHECK(meter.per_second(start + 1'001 * second, 10) == Approx(1));
}
