#include "broker/broker_layout.hpp"

#include <catch2/catch.hpp>

using broker::broker_layout;

TEST_CASE("broker_layout names a queue's lists and knows them again", "[broker_layout]") {
    broker_layout layout;
    layout.prefix = "app:";
    layout.separator = ":";
    layout.steps = {0, 5};
    CHECK(layout.list_key("mail", 0) == "app:mail");
    CHECK(layout.list_key("mail", 5) == "app:mail:5");
    const auto place = place_of(layout, "app:mail:5");
    REQUIRE(place);
    CHECK(place->queue == "mail");
    CHECK(place->step == 5);
    CHECK(place_of(layout, "app:a:3")->queue == "a:3");
    CHECK_FALSE(place_of(layout, "other:mail"));
}

TEST_CASE("broker_layout rounds priorities down to a step", "[broker_layout]") {
    const broker_layout layout;
    CHECK(layout.step_of(0) == 0);
    CHECK(layout.step_of(5) == 3);
    CHECK(layout.step_of(50) == 9);
    CHECK(layout.step_of(-1) == 0);
}
