#include "sidecar/net/heap.hpp"

#include <catch2/catch.hpp>
#include <cstddef>
#include <fstream>
#include <memory>
#include <vector>

using namespace sidecar;

namespace {

// Sanitizers bring an allocator of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool own_allocator = false;
#else
constexpr bool own_allocator = true;
#endif

std::size_t resident_pages() {
    std::size_t all = 0;
    std::size_t resident = 0;
    std::ifstream("/proc/self/statm") >> all >> resident;
    return resident;
}

}  // namespace

TEST_CASE("memory held back by a few survivors is given back, but not at once again") {
    if (!own_allocator) return;
    constexpr std::size_t block = 40'000;  // below what the allocator asks the system for singly
    constexpr std::size_t blocks = 3'000;
    constexpr std::size_t pages = block * blocks / 4'096;
    std::vector<std::unique_ptr<char[]>> survivors;
    const auto burst = [&] {
        std::vector<std::unique_ptr<char[]>> all;
        for (std::size_t i = 0; i < blocks; ++i) {
            all.push_back(std::make_unique<char[]>(block));
            survivors.push_back(std::make_unique<char[]>(100));
        }
    };
    heap_keeper keeper;
    const heap_keeper::time_point start{std::chrono::hours(1)};
    const std::size_t before = resident_pages();
    burst();
    REQUIRE(resident_pages() > before + pages / 2);
    keeper.tend(start);
    CHECK(resident_pages() < before + pages / 4);

    burst();
    keeper.tend(start + heap_pause_min / 2);
    CHECK(resident_pages() > before + pages / 2);
    keeper.tend(start + heap_pause_min);
    CHECK(resident_pages() < before + pages / 4);
}
