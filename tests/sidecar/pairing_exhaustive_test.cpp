// Every schedule of a few small clients, upstream and the network: what each client is answered, what Redis
// executed and what is left behind are judged at the end of each. See pairing/. SIDECAR_PAIRING=long checks
// more groups more finely; it takes hours.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/sidecar/pairing/explorer.hpp"
#include "tests/sidecar/pairing/schedule.hpp"

using namespace tests::pairing;

namespace {

bool thorough() {
    const char* wanted = std::getenv("SIDECAR_PAIRING");
    return wanted != nullptr && std::string_view(wanted) == "long";
}

// Sanitizers are slow and the logic is the same: they see every tenth group.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t group_step = 10;
#else
constexpr std::size_t group_step = 1;
#endif

// All groups of `count` kinds, order aside.
template <class Run>
void each_group(std::string_view kinds, std::size_t count, Run&& run, const std::string& chosen = {}) {
    if (chosen.size() == count) return run(chosen);
    for (std::size_t i = 0; i < kinds.size(); ++i) each_group(kinds.substr(i), count, run, chosen + kinds[i]);
}

search_size explore_group(const std::string& kinds, const faults& f) {
    return explore([&] { return schedule(kinds, f); });
}

void check_groups(const char* what, std::string_view kinds, std::size_t clients, const faults& f) {
    search_size all;
    std::size_t groups = 0;
    std::size_t met = 0;
    each_group(kinds, clients, [&](const std::string& group) {
        if (met++ % group_step != 0) return;
        INFO(what << ", clients " << group);
        try {
            all += explore_group(group, f);
            ++groups;
        } catch (const std::logic_error& objection) {
            std::printf("%s, clients %s: %s\n", what, group.c_str(), objection.what());
            FAIL_CHECK(objection.what());
        }
        if (thorough()) std::fflush(stdout);
    });
    std::printf("%s: %zu groups, %.3g schedules through %zu transitions, %zu endings judged\n", what, groups,
                all.schedules, all.transitions, all.endings);
    CHECK(all.endings > groups);
}

faults with(int losses, int halves, bool coarse) {
    faults f;
    f.losses = losses;
    f.halves = halves;
    f.coarse = coarse;
    return f;
}

}  // namespace

TEST_CASE("pairing: two clients of every kind, nothing fails") {
    check_groups("pairs", all_kinds, 2, with(0, thorough() ? 1 : 0, false));
}

TEST_CASE("pairing: two clients, replies in pieces, a link is lost") {
    check_groups("pairs with a loss", thorough() ? all_kinds : "rwmsngx", 2, with(1, 1, false));
}

TEST_CASE("pairing: two clients of every kind, a link is lost between reads") {
    check_groups("pairs with a loss, coarse", thorough() ? all_kinds : "rwpmabulsnxyg", 2, with(1, 0, true));
}

TEST_CASE("pairing: transactions typed step by step, a link is lost") {
    check_groups("typed with a loss", thorough() ? "tamwb" : "trw", 2, with(1, 0, true));
}

TEST_CASE("pairing: two clients, two losses") {
    check_groups("pairs with two losses", thorough() ? "rwpmtabsnxyg" : "rwmbsg", 2, with(2, 0, true));
}

TEST_CASE("pairing: a link is lost before anything was written to it") {
    auto f = with(1, 0, true);
    f.plugged = true;
    check_groups("pairs with a loss behind a plug", thorough() ? "rwpmlxsng" : "rwmlx", 2, f);
}

TEST_CASE("pairing: upstream stays away longer than the hold") {
    auto f = with(1, 0, true);
    f.outages = 1;
    check_groups("pairs with an outage", thorough() ? "rwpmtabulsnxyg" : "rwmbx", 2, f);
}

TEST_CASE("pairing: three clients, nothing fails") {
    check_groups("triples", thorough() ? all_kinds : "rwmbsngx", 3, with(0, 0, true));
}

TEST_CASE("pairing: three clients, a link is lost") {
    check_groups("triples with a loss", thorough() ? "rwpmtabusnxyg" : "rwbs", 3, with(1, 0, true));
}

TEST_CASE("pairing: four clients, nothing fails") {
    check_groups("fours", thorough() ? "rwmtabusnxg" : "rwbgs", 4, with(0, 0, true));
}

TEST_CASE("pairing: four clients, a link is lost") {
    check_groups("fours with a loss", thorough() ? "rwmbsngx" : "rw", 4, with(1, 0, true));
}

// What this check is worth: each kind of error is seen.
TEST_CASE("pairing: the check sees what is wrong") {
    const auto is_seen = [](const char* kinds, sabotage wrong, int losses) {
        faults f = with(losses, 0, false);
        f.wrong = wrong;
        CHECK_THROWS_AS(explore_group(kinds, f), std::logic_error);
    };
    is_seen("ww", sabotage::swapped_replies, 0);
    is_seen("rr", sabotage::swapped_replies, 0);
    is_seen("wr", sabotage::repeated_writes, 0);
    is_seen("wr", sabotage::lost_reply, 0);
    is_seen("sn", sabotage::lost_message, 0);
    is_seen("yg", sabotage::lost_put_back, 0);
}
