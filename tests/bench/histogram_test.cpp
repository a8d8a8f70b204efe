#include "bench/load/histogram.hpp"

#include <catch2/catch.hpp>

using bench::histogram;
using std::chrono::nanoseconds;

TEST_CASE("a quantile is never below the value and at most two per cent above it") {
    for (const std::int64_t value : {0L, 1L, 63L, 64L, 65L, 127L, 128L, 1'000L, 999'999L, 60'000'000'000L}) {
        histogram one;
        one.add(nanoseconds(value));
        const double found = static_cast<double>(one.quantile(0.5).count());
        CHECK(found >= static_cast<double>(value));
        CHECK(found <= static_cast<double>(value) * 1.02);
    }
}

TEST_CASE("quantiles are of all that was counted") {
    histogram all;
    CHECK(all.quantile(0.5).count() == 0);
    for (int i = 1; i <= 60; ++i) all.add(nanoseconds(i));
    CHECK(all.count() == 60);
    CHECK(all.quantile(0.5).count() == 30);
    CHECK(all.quantile(0).count() == 1);
    CHECK(all.max().count() == 60);
    all.add(nanoseconds(-5));  // clocks: counted as nothing
    CHECK(all.quantile(0).count() == 0);
}

TEST_CASE("merging counts what both counted") {
    histogram fast;
    histogram slow;
    fast.add(nanoseconds(10), 99);
    slow.add(nanoseconds(50));
    fast.merge(slow);
    CHECK(fast.count() == 100);
    CHECK(fast.quantile(0.99).count() == 10);
    CHECK(fast.max().count() == 50);
}

TEST_CASE("buckets counted elsewhere are the same buckets") {
    histogram mine;
    mine.add_bucket(10, 3);
    CHECK(mine.quantile(1).count() == 10);
    mine.add_bucket(histogram::buckets() + 5, 1);  // a number that cannot be: the last one
    CHECK(mine.count() == 4);
}
