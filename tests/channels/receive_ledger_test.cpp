#include <catch2/catch.hpp>

#include "channels/receive_ledger.hpp"

using channels::receive_ledger;
using confirmation = receive_ledger::confirmation;

namespace {
constexpr std::string_view own = "asgispecific.a!";
constexpr std::string_view jobs = "asgijobs";
}  // namespace

TEST_CASE("a receive that goes its way leaves nothing behind", "[channels]") {
    receive_ledger ledger;
    CHECK_FALSE(ledger.knows(own));
    CHECK(ledger.cleanup(own, 1, 0).forward);
    CHECK(ledger.knows(own));
    CHECK(ledger.delivered(own, {"m", "1.5"}, 1, 0));
    CHECK(ledger.size() == 1);
    CHECK(ledger.confirm(own, "m", 2) == confirmation::known);
    const auto done = ledger.clean(own, 3);
    REQUIRE(done);
    CHECK(done->member == "m");
    CHECK(done->score == "1.5");
    CHECK(ledger.size() == 0);
    CHECK(ledger.bytes() == 0);
    CHECK(ledger.cleanup(own, 1, 1).in_flight == 0);
}

TEST_CASE("the next cleanup of the one reader undoes a receive, confirmed or not", "[channels]") {
    receive_ledger ledger;
    ledger.delivered(own, {"m", "1"}, 1, 0);
    const auto verdict = ledger.cleanup(own, 2, 1);
    CHECK(verdict.forward);
    CHECK(verdict.in_flight == 1);
    CHECK(ledger.confirm(own, "m", 1) == confirmation::settled);

    ledger.delivered(own, {"m", "1"}, 2, 2);
    CHECK(ledger.confirm(own, "m", 1) == confirmation::known);
    CHECK(ledger.cleanup(own, 2, 3).in_flight == 1);
    CHECK(ledger.size() == 0);
}

TEST_CASE("a cleanup does not touch what another reader of a normal channel works on", "[channels]") {
    receive_ledger ledger;
    ledger.delivered(jobs, {"m", "1"}, 1, 0);
    CHECK_FALSE(ledger.cleanup(jobs, 2, 1).forward);
    const auto own_cleanup = ledger.cleanup(jobs, 1, 2);
    CHECK(own_cleanup.forward);
    CHECK(own_cleanup.in_flight == 0);
    REQUIRE(own_cleanup.unconfirmed.size() == 1);
    CHECK(own_cleanup.unconfirmed[0].member == "m");
    CHECK(ledger.size() == 0);
}

TEST_CASE("a receive that takes for ever protects its message no more", "[channels]") {
    receive_ledger ledger;
    ledger.delivered(jobs, {"m", "1"}, 1, 0);
    CHECK_FALSE(ledger.cleanup(jobs, 2, 60'000).forward);
    CHECK(ledger.cleanup(jobs, 2, 60'001).forward);
}

TEST_CASE("each reader cleans up its own message, whatever the order", "[channels]") {
    receive_ledger ledger;
    ledger.delivered(jobs, {"first", "1"}, 1, 0);
    ledger.delivered(jobs, {"second", "2"}, 2, 0);
    CHECK_FALSE(ledger.clean(jobs, 1));
    ledger.confirm(jobs, "first", 1);
    ledger.confirm(jobs, "second", 2);
    CHECK(ledger.clean(jobs, 2)->member == "second");
    CHECK(ledger.clean(jobs, 7)->member == "first");
    CHECK_FALSE(ledger.clean(jobs, 1));
}

TEST_CASE("what a closed connection popped goes back unless another confirms it", "[channels]") {
    receive_ledger ledger;
    ledger.delivered(jobs, {"kept", "1"}, 1, 0);
    ledger.delivered(jobs, {"lost", "2"}, 1, 0);
    ledger.delivered(jobs, {"done", "3"}, 1, 0);
    ledger.confirm(jobs, "done", 1);
    const auto orphans = ledger.receiver_gone(1);
    REQUIRE(orphans.size() == 2);
    CHECK(orphans[0].key == jobs);
    CHECK(ledger.confirm(jobs, "kept", 2) == confirmation::known);
    CHECK_FALSE(ledger.take_orphan(jobs, "kept"));
    CHECK(ledger.take_orphan(jobs, "lost"));
    CHECK_FALSE(ledger.take_orphan(jobs, "lost"));
    CHECK(ledger.confirm(jobs, "lost", 2) == confirmation::settled);
    CHECK(ledger.receiver_gone(1).empty());
}

TEST_CASE("an orphan stands in no cleanup's way", "[channels]") {
    receive_ledger ledger;
    ledger.delivered(jobs, {"m", "1"}, 1, 0);
    CHECK(ledger.receiver_gone(1).size() == 1);
    CHECK(ledger.cleanup(jobs, 2, 1).forward);
    CHECK_FALSE(ledger.take_orphan(jobs, "m"));
}

TEST_CASE("what was popped elsewhere is unknown, and a second confirmation too late", "[channels]") {
    receive_ledger ledger;
    CHECK(ledger.confirm(jobs, "m", 1) == confirmation::unknown);
    ledger.delivered(jobs, {"m", "1"}, 1, 0);
    ledger.confirm(jobs, "m", 1);
    CHECK(ledger.clean(jobs, 1));
    CHECK(ledger.confirm(jobs, "m", 1) == confirmation::settled);
}

TEST_CASE("bytes are bounded, and quiet queues forgotten", "[channels]") {
    receive_ledger ledger(1'000);
    CHECK(ledger.delivered(jobs, {std::string(500, 'x'), "1"}, 1, 0));
    CHECK_FALSE(ledger.delivered(jobs, {std::string(500, 'y'), "1"}, 1, 0));
    CHECK(ledger.size() == 1);
    ledger.forget(jobs, std::string(500, 'x'));
    CHECK(ledger.bytes() == 0);
    ledger.delivered(jobs, {"m", "1"}, 1, 0);
    ledger.cleanup(jobs, 1, 1'000);
    ledger.sweep(121'000);
    CHECK(ledger.knows(jobs));
    ledger.sweep(121'001);
    CHECK_FALSE(ledger.knows(jobs));
    CHECK(ledger.bytes() == 0);
}
