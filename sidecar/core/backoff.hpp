#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace sidecar {

// Waiting times between attempts to connect: doubling from 10 ms to a quarter of a second, each drawn from
// the upper half of its step so that many connections lost together do not come back together.
class backoff {
public:
    explicit backoff(std::uint64_t seed) : state_(seed | 1U) {}

    [[nodiscard]] std::chrono::milliseconds next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        const auto step = std::min<std::uint64_t>(10ULL << std::min(attempt_, 5U), 250);
        ++attempt_;
        return std::chrono::milliseconds(step / 2 + state_ % (step / 2 + 1));
    }
    void reset() { attempt_ = 0; }

private:
    std::uint64_t state_;
    unsigned attempt_ = 0;
};

}  // namespace sidecar
