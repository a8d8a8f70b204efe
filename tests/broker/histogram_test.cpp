#include "broker/histogram.hpp"

#include "catch2/catch.hpp"

TEST_CASE("histogram puts a value on its bound below it, and what is beyond in the open bucket",
          "[broker][histogram]") {
    static constexpr double bounds[] = {1, 10};
    broker::histogram waits(bounds);
    for (const double value : {-3.0, 0.5, 1.0, 1.1, 10.0, 11.0, 1e9}) waits.add(value);
    CHECK(std::vector<std::uint64_t>(waits.in_bucket().begin(), waits.in_bucket().end()) ==
          std::vector<std::uint64_t>{3, 2, 2});
    CHECK(waits.count() == 7);
    CHECK(waits.sum() == Approx(1e9 + 23.6));
}
