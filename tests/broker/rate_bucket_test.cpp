#include "broker/rate_bucket.hpp"

#include <catch2/catch.hpp>

using namespace broker;

TEST_CASE("tokens come with time, up to the burst", "[broker][rate_bucket]") {
    const delivery_rate rate{2, 3};
    rate_bucket bucket;
    std::int64_t now = 1'000'000;
    for (int i = 0; i < 3; ++i) CHECK(bucket.take(rate, now));
    CHECK_FALSE(bucket.take(rate, now));
    CHECK(bucket.wait_us(rate, now) == 500'001);
    now += 500'001;
    CHECK(bucket.take(rate, now));
    CHECK_FALSE(bucket.take(rate, now));
    now += 60'000'000;
    CHECK(bucket.available(rate, now) == 3);
}

TEST_CASE("a token given back can be taken again", "[broker][rate_bucket]") {
    const delivery_rate rate{1, 1};
    rate_bucket bucket;
    CHECK(bucket.take(rate, 5));
    CHECK_FALSE(bucket.take(rate, 5));
    bucket.give_back();
    CHECK(bucket.take(rate, 5));
}

TEST_CASE("a rate of nothing lets one pass and then waits", "[broker][rate_bucket]") {
    const delivery_rate rate{0, 0};
    rate_bucket bucket;
    CHECK(bucket.take(rate, 0));
    CHECK_FALSE(bucket.take(rate, 3'600'000'000));
    CHECK(bucket.wait_us(rate, 3'600'000'000) == 3'600'000'000);
}

TEST_CASE("a clock that goes back takes nothing away", "[broker][rate_bucket]") {
    const delivery_rate rate{1, 2};
    rate_bucket bucket;
    CHECK(bucket.available(rate, 10'000'000) == 2);
    CHECK(bucket.available(rate, 5'000'000) == 2);
}
