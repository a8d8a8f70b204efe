#include "broker/list_weight.hpp"

#include <catch2/catch.hpp>

#include "memory_redis.hpp"

using namespace broker;

TEST_CASE("elements_at_once is one where the mean element is large, and unbounded where none can be",
          "[list_weight]") {
    CHECK(elements_at_once(1'000'000, 1'000'000'000) > 100'000);
    CHECK(elements_at_once(500, 8 << 20) > 100'000);
    CHECK(elements_at_once(500, 20 << 20) == 4);
    CHECK(elements_at_once(500, 100 << 20) == 1);
    CHECK(elements_at_once(1, 1'000) == 1);
    CHECK(elements_at_once(500, 0) == 4);
}

TEST_CASE("elements_at_once is careful where Redis does not tell", "[list_weight]") {
    memory_redis redis;
    redis.away = true;
    CHECK(elements_at_once(redis, "q") <= 4);
    redis.away = false;
    redis.lists["q"].resize(3);
    for (auto& each : redis.lists["q"]) each.resize(9U << 20, 'x');
    CHECK(elements_at_once(redis, "q") == 1);
}
