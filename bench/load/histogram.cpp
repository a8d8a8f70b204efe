#include "bench/load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace bench {

void histogram::add(std::chrono::nanoseconds latency, std::uint64_t times) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
    add_bucket(bucket_of(value), times);
}

void histogram::merge(const histogram& other) {
    for (std::size_t i = 0; i < bucket_count; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
}

void histogram::add_bucket(std::size_t bucket, std::uint64_t times) {
    buckets_[std::min(bucket, bucket_count - 1)] += times;
    count_ += times;
}

std::chrono::nanoseconds histogram::quantile(double part) const {
    if (count_ == 0) return std::chrono::nanoseconds(0);
    const double wanted = std::ceil(part * static_cast<double>(count_));
    const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    while (seen + buckets_[bucket] < rank) seen += buckets_[bucket++];
    return std::chrono::nanoseconds(end_of(bucket));
}

// Below 64 a bucket for each value; above, the position of the highest bit and the six bits behind it.
std::size_t histogram::bucket_of(std::uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    if (width <= step_bits) return value;
    const unsigned shift = width - step_bits - 1;
    return ((shift + 1UL) << step_bits) + ((value >> shift) - (1UL << step_bits));
}

std::uint64_t histogram::end_of(std::size_t bucket) {
    if (bucket < (1UL << step_bits)) return bucket;
    const std::size_t shift = (bucket >> step_bits) - 1;
    const std::size_t step = bucket & ((1UL << step_bits) - 1);
    return ((step + (1UL << step_bits) + 1) << shift) - 1;
}

}  // namespace bench
