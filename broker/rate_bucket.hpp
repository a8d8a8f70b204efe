#pragma once
// So many may pass a second: tokens that come with time and are spent one by one.

#include <algorithm>
#include <cstdint>

#include "broker/delivery_rules.hpp"

namespace broker {

class rate_bucket {
public:
    // How many could pass now.
    [[nodiscard]] double available(const delivery_rate& rate, std::int64_t now_us) {
        const double most = std::max(1.0, rate.burst);
        if (!started_) tokens_ = most;
        if (started_ && now_us > at_us_)
            tokens_ += static_cast<double>(now_us - at_us_) / 1e6 * rate.per_second;
        started_ = true;
        at_us_ = now_us;
        tokens_ = std::min(tokens_, most);
        return tokens_;
    }
    [[nodiscard]] bool take(const delivery_rate& rate, std::int64_t now_us) {
        if (available(rate, now_us) < 1) return false;
        tokens_ -= 1;
        return true;
    }
    // It was taken and not used.
    void give_back() { tokens_ += 1; }
    // Until the next may pass.
    [[nodiscard]] std::int64_t wait_us(const delivery_rate& rate, std::int64_t now_us) {
        constexpr double wait_us_max = 3.6e9;
        const double missing = 1 - available(rate, now_us);
        if (missing <= 0) return 0;
        if (rate.per_second <= 0) return static_cast<std::int64_t>(wait_us_max);
        return static_cast<std::int64_t>(std::min(wait_us_max, missing / rate.per_second * 1e6)) + 1;
    }

private:
    double tokens_ = 0;
    std::int64_t at_us_ = 0;
    bool started_ = false;
};

}  // namespace broker
