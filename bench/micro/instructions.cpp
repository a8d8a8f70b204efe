// Runs every case for callgrind, which writes the counts of each into a dump of its own, named by the case.
// Start-up and warming up are not counted. Prints "NAME REPETITIONS COMMANDS" for each dump, in their order.

#include <valgrind/callgrind.h>

#include <cstdio>

#include "bench/micro/cases.hpp"

namespace {
constexpr int warm_up = 20;
constexpr int repetitions = 50;
}  // namespace

int main() {
    for (const bench::micro_case& each : bench::all_cases()) {
        const auto repeat = each.prepare();
        for (int i = 0; i < warm_up; ++i) repeat();
        CALLGRIND_ZERO_STATS;
        for (int i = 0; i < repetitions; ++i) repeat();
        CALLGRIND_DUMP_STATS_AT(each.name.c_str());
        std::printf("%s %d %zu\n", each.name.c_str(), repetitions, each.commands);
    }
    return 0;
}
