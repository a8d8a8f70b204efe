#include <catch2/catch.hpp>

#include "sidecar/core/receive_registry.hpp"

using namespace sidecar;
using confirmation = channels::receive_ledger::confirmation;

TEST_CASE("queues of the same name on two dbs are two queues", "[receives]") {
    receive_registry receives;
    receives.cleanup(0, "a!", 1, 0);
    CHECK(receives.knows(0, "a!"));
    CHECK_FALSE(receives.knows(1, "a!"));
    CHECK(receives.delivered(0, "a!", {"m", "1"}, 1, 0));
    CHECK(receives.confirm(1, "a!", "m", 1) == confirmation::unknown);
    CHECK_FALSE(receives.clean(0, "a!", 1));
    const auto orphans = receives.receiver_gone(1);
    REQUIRE(orphans.size() == 1);
    CHECK(orphans[0].db == 0);
    CHECK(orphans[0].what.key == "a!");
    CHECK_FALSE(receives.take_orphan(1, "a!", "m"));
    CHECK(receives.take_orphan(0, "a!", "m"));
    CHECK(receives.size() == 0);
    CHECK(receives.bytes() == 0);
}

TEST_CASE("a process's queue is one reader's on db 0 as well", "[receives]") {
    receive_registry receives;
    receives.delivered(0, "a!", {"m", "1"}, 1, 0);
    CHECK(receives.cleanup(0, "a!", 2, 1).in_flight == 1);
    receives.delivered(0, "jobs", {"n", "1"}, 1, 0);
    CHECK_FALSE(receives.cleanup(0, "jobs", 2, 1).forward);
    receives.forget(0, "jobs", "n");
    CHECK(receives.cleanup(0, "jobs", 2, 1).forward);
    receives.sweep(1'000'000);
    CHECK_FALSE(receives.knows(0, "jobs"));
}
