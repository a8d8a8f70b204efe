#include "channels/capacity_rules.hpp"

#include <catch2/catch.hpp>

using namespace channels;

TEST_CASE("the first rule that matches decides, else the default") {
    capacity_rules rules(100);
    CHECK(rules.capacity_of("anything") == 100);
    REQUIRE(rules.add(*name_pattern::glob("http.*"), 5));
    REQUIRE(rules.add(*name_pattern::glob("http.request"), 7));
    REQUIRE(rules.add(*name_pattern::glob("specific.*!"), 9));
    CHECK(rules.capacity_of("http.request") == 5);
    CHECK(rules.capacity_of("specific.ab!") == 9);
    CHECK(rules.capacity_of("specific.ab") == 100);
    rules.set_default(3);
    CHECK(rules.capacity_of("other") == 3);
}

TEST_CASE("there are only so many rules") {
    capacity_rules rules;
    for (std::size_t i = 0; i < capacity_rules::rules_max; ++i)
        CHECK(rules.add(*name_pattern::glob("a*"), 1));
    CHECK_FALSE(rules.add(*name_pattern::glob("b*"), 1));
    CHECK(rules.size() == capacity_rules::rules_max);
}
