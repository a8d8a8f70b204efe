#include "broker/place_memory.hpp"

#include <catch2/catch.hpp>

TEST_CASE("place_memory keeps what was seen last", "[place_memory]") {
    broker::place_memory places(2);
    places.remember("a", {"q", "q", 0, 1});
    places.remember("b", {"q", "q", 0, 2});
    places.remember("a", {"q", "q", 0, 5});
    places.remember("c", {"q", "q", 0, 3});
    CHECK(places.size() == 2);
    CHECK_FALSE(places.find("b"));
    REQUIRE(places.find("a"));
    CHECK(places.find("a")->position == 5);
    places.forget("a");
    CHECK_FALSE(places.find("a"));
    places.remember("", {"q", "q", 0, 3});
    CHECK(places.size() == 1);
}
