#include "broker/unacked_table.hpp"

#include "catch2/catch.hpp"

using broker::unacked_table;

namespace {
constexpr std::int64_t second = 1'000'000;
}

TEST_CASE("unacked_table does not open again what was settled", "[broker][unacked_table]") {
    unacked_table table(10);
    REQUIRE(table.open("a", 5) != nullptr);
    table.settle("a", 7);
    CHECK(table.open("a", 6) == nullptr);
    CHECK(table.open("a", 8) != nullptr);
    table.settle("b", 7);
    table.expire(60 * second);
    CHECK(table.open("b", 6) != nullptr);
}

TEST_CASE("unacked_table forgets pops that nobody noted, and keeps its bound", "[broker][unacked_table]") {
    unacked_table table(2);
    table.open("noted", second)->noted_by = 9;
    table.open("no_ack", second);
    CHECK(table.open("third", second) == nullptr);
    CHECK(table.refused() == 1);
    table.expire(100 * second);
    CHECK(table.find("no_ack") == nullptr);
    CHECK(table.find("noted") != nullptr);
}
