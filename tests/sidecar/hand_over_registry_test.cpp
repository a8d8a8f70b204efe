#include "sidecar/core/hand_over_registry.hpp"

#include <catch2/catch.hpp>

using namespace sidecar;

TEST_CASE("a list is followed for all of a call or for none", "[sidecar][hand_over_registry]") {
    hand_over_registry registry;
    registry.learn(2, "unacked");
    CHECK(registry.follows_all(2, {"a", "b"}, 1));
    CHECK_FALSE(registry.follows_all(2, {"a", "x.reply.celery.pidbox"}, 1));
    CHECK(registry.hashes(2) == std::vector<std::string>{"unacked"});
}

TEST_CASE("a redelivery that was counted passes once", "[sidecar][hand_over_registry]") {
    hand_over_registry registry;
    CHECK_FALSE(registry.spend(2, "t"));
    registry.allow(2, "t");
    CHECK_FALSE(registry.spend(0, "t"));
    CHECK(registry.spend(2, "t"));
    CHECK_FALSE(registry.spend(2, "t"));
}

TEST_CASE("rates of dbs and names do not meet", "[sidecar][rate_table]") {
    rate_table rates;
    const broker::delivery_rate one{1, 1};
    CHECK(rates.take(2, "a", one, 0));
    CHECK_FALSE(rates.take(2, "a", one, 0));
    CHECK(rates.take(2, "b", one, 0));
    CHECK(rates.take(0, "a", one, 0));
    rates.give_back(2, "a");
    CHECK(rates.available(2, "a", one, 0) == 1);
    CHECK(rates.wait_us(2, "a", one, 0) == 0);
}
