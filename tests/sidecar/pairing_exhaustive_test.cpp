// Every schedule of a few small clients, upstream and the network: what each client is answered, what Redis
// executed and what is left behind are judged after each. See pairing/.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/sidecar/pairing/explorer.hpp"
#include "tests/sidecar/pairing/schedule.hpp"

using namespace tests::pairing;

namespace {

// All groups of `count` kinds, order aside.
template <class Run>
void each_group(std::string_view kinds, std::size_t count, Run&& run, const std::string& chosen = {}) {
    if (chosen.size() == count) return run(chosen);
    for (std::size_t i = 0; i < kinds.size(); ++i) each_group(kinds.substr(i), count, run, chosen + kinds[i]);
}

search_size explore_group(const std::string& kinds, const faults& f) {
    return explore([&] { return schedule(kinds, f); });
}

}  // namespace

TEST_CASE("pairing: measure") {
    const auto begin = std::chrono::steady_clock::now();
    search_size all;
    const char* only = std::getenv("KINDS");
    faults f;
    f.losses = std::atoi(std::getenv("LOSSES"));
    f.halves = std::atoi(std::getenv("HALVES"));
    f.plugged = std::getenv("PLUGGED") != nullptr;
    f.coarse = std::getenv("COARSE") != nullptr;
    f.outages = std::getenv("OUTAGES") != nullptr;
    f.swapped_replies = std::getenv("SWAP") != nullptr;
    each_group(only ? only : all_kinds, static_cast<std::size_t>(std::atoi(std::getenv("CLIENTS"))),
               [&](const std::string& kinds) {
                   try {
                       const auto b = std::chrono::steady_clock::now();
                       const auto size = explore_group(kinds, f);
                       all += size;
                       const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                           std::chrono::steady_clock::now() - b)
                                           .count();
                       if (std::getenv("VERBOSE"))
                           std::printf("%s %zu %zu %zu %ld ms\n", kinds.c_str(), size.schedules, size.joined,
                                       size.states, static_cast<long>(ms));
                   } catch (const std::exception& e) {
                       std::printf("FAILED %s: %s\n", kinds.c_str(), e.what());
                       FAIL_CHECK(kinds << ": " << e.what());
                   }
               });
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin)
            .count();
    std::printf("schedules %zu joined %zu states %zu: %ld ms\n", all.schedules, all.joined, all.states,
                static_cast<long>(ms));
}
