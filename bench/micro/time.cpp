// Every case under Google Benchmark; its own flags apply (--benchmark_filter and so on).

#include <benchmark/benchmark.h>

#include "bench/micro/cases.hpp"

int main(int argc, char** argv) {
    for (const bench::micro_case& each : bench::all_cases())
        benchmark::RegisterBenchmark(each.name.c_str(), [each](benchmark::State& state) {
            const auto repeat = each.prepare();
            for ([[maybe_unused]] auto _ : state) repeat();
            state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) *
                                    static_cast<std::int64_t>(each.commands));
        });
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
