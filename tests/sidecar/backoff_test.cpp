#include "sidecar/core/backoff.hpp"

#include <catch2/catch.hpp>
#include <set>

using sidecar::backoff;

TEST_CASE("waiting times double up to a quarter of a second and stay in the upper half of their step") {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        backoff wait(seed);
        for (const int step : {10, 20, 40, 80, 160, 250, 250, 250}) {
            const auto ms = wait.next().count();
            CHECK(ms >= step / 2);
            CHECK(ms <= step);
        }
        wait.reset();
        CHECK(wait.next().count() <= 10);
    }
}

TEST_CASE("connections lost together come back apart") {
    std::set<std::int64_t> times;
    for (std::uint64_t seed = 1; seed < 200; ++seed) {
        backoff wait(seed * 0x9E3779B97F4A7C15ULL);
        for (int i = 0; i < 8; ++i) (void)wait.next();
        times.insert(wait.next().count());
    }
    CHECK(times.size() > 50);
}
