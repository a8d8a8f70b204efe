#include "broker/elsewhere.hpp"

#include <catch2/catch.hpp>

using namespace broker;

TEST_CASE("shared_host gives an address that counts on one machine that machine's name", "[elsewhere]") {
    for (const char* local : {"127.0.0.1", "127.1.2.3", "[::1]", "/run/redis.sock", ""})
        CHECK(shared_host(local, "m") == "local@m");
    CHECK(shared_host("10.0.0.7", "m") == "10.0.0.7");
    CHECK(shared_host("[fd00::1]", "m") == "[fd00::1]");
}

TEST_CASE("elsewhere holds whoever may be one of those told", "[elsewhere]") {
    elsewhere others;
    others.machine = "m";
    others.places = {{"10.0.0.7", "w1@x"}, {"10.0.0.8", ""}, {"local@m", "w2@x"}};
    CHECK_FALSE(others.holds("10.0.0.7", "w1@x"));  // nobody has told anything
    others.others = true;
    CHECK(others.holds("10.0.0.7", "w1@x"));
    CHECK(others.holds("10.0.0.7", ""));
    CHECK_FALSE(others.holds("10.0.0.7", "w9@x"));
    CHECK(others.holds("10.0.0.8", "w9@x"));
    CHECK(others.holds("127.0.0.1", "w2@x"));
    CHECK_FALSE(others.holds("10.0.0.9", ""));
    others.incomplete = true;
    CHECK(others.holds("10.0.0.9", ""));
}
