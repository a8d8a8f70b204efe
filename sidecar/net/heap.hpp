#pragma once
// Memory that was freed and that the allocator still holds: after a burst of large values it can be many
// times what is in use, and it is not given back while anything younger lies behind it.

#include <chrono>

namespace sidecar {

inline constexpr std::chrono::seconds heap_pause_min{5};

// Gives such memory back. While it does, nobody can allocate: so only when much is held, and ever more rarely
// when it was in vain. Used by one thread.
class heap_keeper {
public:
    using time_point = std::chrono::steady_clock::time_point;

    void tend(time_point now);

private:
    time_point next_{};
    std::chrono::seconds pause_ = heap_pause_min;
};

}  // namespace sidecar
