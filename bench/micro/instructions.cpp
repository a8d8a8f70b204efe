// Runs every case for callgrind, which writes the counts of each into a dump of its own, named by the case.
// Start-up and warming up are not counted. Prints "NAME REPETITIONS COMMANDS ALLOCATIONS" for each dump, in
// their order; the allocations, of all repetitions, are right without callgrind as well.

#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "bench/micro/cases.hpp"

namespace {
constexpr int warm_up = 20;
constexpr int repetitions = 50;
std::size_t allocations = 0;
}  // namespace

void* operator new(std::size_t bytes) {
    ++allocations;
    if (void* got = std::malloc(bytes)) return got;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

int main() {
    for (const bench::micro_case& each : bench::all_cases()) {
        const auto repeat = each.prepare();
        for (int i = 0; i < warm_up; ++i) repeat();
        const std::size_t before = allocations;
        CALLGRIND_ZERO_STATS;
        for (int i = 0; i < repetitions; ++i) repeat();
        CALLGRIND_DUMP_STATS_AT(each.name.c_str());
        std::printf("%s %d %zu %zu\n", each.name.c_str(), repetitions, each.commands, allocations - before);
    }
    return 0;
}
