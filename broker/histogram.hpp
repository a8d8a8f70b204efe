#pragma once
// Counts of durations by upper bound. The bounds are constants that outlive the histogram.

#include <cstdint>
#include <span>
#include <vector>

namespace broker {

// Seconds. Waits reach from a worker that is idle to a queue that stands for hours.
inline constexpr double wait_bounds_s[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,  1,    2.5,  5,
                                           10,    30,   60,    120,  300, 600,  1800, 3600, 14400};

class histogram {
public:
    explicit histogram(std::span<const double> bounds_s = wait_bounds_s)
        : bounds_(bounds_s), counts_(bounds_s.size() + 1) {}

    void add(double seconds);  // negative counts as zero

    [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
    // One more than bounds: the last is what lies above all. Not cumulative.
    [[nodiscard]] std::span<const std::uint64_t> in_bucket() const { return counts_; }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] double sum() const { return sum_; }

private:
    std::span<const double> bounds_;
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    double sum_ = 0;
};

}  // namespace broker
