#include "broker/rates.hpp"

#include <algorithm>

namespace broker {
namespace {

constexpr std::int64_t us_per_second = 1'000'000;

}  // namespace

void rate_meter::add(std::int64_t now_us, std::uint32_t count) {
    const std::int64_t second = now_us / us_per_second;
    if (first_second_ == 0) first_second_ = last_second_ = second;
    // Notes of different clients may come a little out of order; what is too old to have a slot is dropped.
    if (second <= last_second_ - slots) return;
    for (std::int64_t next = std::max(last_second_ + 1, second - slots + 1); next <= second; ++next) {
        in_second_[static_cast<std::size_t>(next % slots)] = 0;
    }
    last_second_ = std::max(last_second_, second);
    in_second_[static_cast<std::size_t>(second % slots)] += count;
}

double rate_meter::per_second(std::int64_t now_us, int window_s) const {
    if (first_second_ == 0) return 0;
    const std::int64_t now_second = now_us / us_per_second;
    const std::int64_t from = std::max(now_second - window_s, std::min(first_second_, now_second));
    if (from >= now_second) return 0;
    std::uint64_t sum = 0;
    for (std::int64_t second = from; second < now_second; ++second) {
        if (second > last_second_ || second <= last_second_ - slots) continue;
        sum += in_second_[static_cast<std::size_t>(second % slots)];
    }
    return static_cast<double>(sum) / static_cast<double>(now_second - from);
}

}  // namespace broker
