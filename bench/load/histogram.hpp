#pragma once
// Latencies, counted in buckets that are at most 1.6 % wide.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bench {

class histogram {
public:
    void add(std::chrono::nanoseconds latency, std::uint64_t times = 1);
    void merge(const histogram& other);
    // What another histogram of this kind counted in one of its buckets.
    void add_bucket(std::size_t bucket, std::uint64_t times);
    // The latency that the given part (0 to 1) of all did not exceed; zero while empty.
    [[nodiscard]] std::chrono::nanoseconds quantile(double part) const;
    [[nodiscard]] std::chrono::nanoseconds max() const { return quantile(1); }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    static constexpr std::size_t buckets() { return bucket_count; }

private:
    static constexpr unsigned step_bits = 6;  // buckets in each power of two: 64
    static constexpr std::size_t bucket_count = (64 - step_bits + 1) << step_bits;

    static std::size_t bucket_of(std::uint64_t value);
    static std::uint64_t end_of(std::size_t bucket);

    std::array<std::uint64_t, bucket_count> buckets_{};
    std::uint64_t count_ = 0;
};

}  // namespace bench
