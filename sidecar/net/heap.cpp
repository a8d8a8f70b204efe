#include "sidecar/net/heap.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>

namespace sidecar {

namespace {

constexpr std::size_t held_bytes_min = 32U << 20;
constexpr std::size_t gain_bytes_min = 8U << 20;
constexpr std::chrono::seconds pause_max{300};

std::size_t resident_bytes() {
    std::FILE* file = std::fopen("/proc/self/statm", "re");
    if (file == nullptr) return 0;
    std::size_t all = 0;
    std::size_t resident = 0;
    if (std::fscanf(file, "%zu %zu", &all, &resident) != 2) resident = 0;
    std::fclose(file);
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t bytes_in_use() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

}  // namespace

void heap_keeper::tend(time_point now) {
    if (now < next_) return;
    next_ = now + pause_;
    const std::size_t resident = resident_bytes();
    const std::size_t in_use = bytes_in_use();
    if (resident <= in_use + std::max(held_bytes_min, in_use / 2)) return;
    ::malloc_trim(0);
    const bool in_vain = resident_bytes() + gain_bytes_min > resident;
    pause_ = in_vain ? std::min(pause_ * 2, pause_max) : heap_pause_min;
}

}  // namespace sidecar
