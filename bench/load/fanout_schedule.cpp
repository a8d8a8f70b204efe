#include "bench/load/fanout_schedule.hpp"

#include <charconv>
#include <cmath>

namespace bench {

namespace {

constexpr std::size_t steps_max = 100;

bool read_number(std::string_view text, double& number) {
    const auto end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    return read.ec == std::errc{} && read.ptr == end && std::isfinite(number) && number > 0;
}

std::string_view take_part(std::string_view& text) {
    const std::size_t colon = text.find(':');
    const auto part = text.substr(0, colon);
    text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
    return part;
}

}  // namespace

bool schedule::over(std::chrono::nanoseconds elapsed) const {
    if (plan_.messages_max > 0 && batches_ * plan_.burst >= plan_.messages_max) return true;
    return (plan_.how == pacing::saturated ? elapsed : next(elapsed)) >= plan_.time;
}

std::chrono::nanoseconds schedule::next(std::chrono::nanoseconds elapsed) const {
    if (plan_.how == pacing::saturated) return elapsed;
    const double seconds = static_cast<double>(batches_ * plan_.burst) / plan_.rate;
    return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

bool schedule::due(std::chrono::nanoseconds elapsed, std::uint64_t batches_done) const {
    if (over(elapsed)) return false;
    return plan_.how == pacing::saturated ? batches_ < batches_done + plan_.window : next(elapsed) <= elapsed;
}

std::vector<double> ramp_rates(std::string_view text) {
    double from = 0;
    double to = 0;
    double factor = 1.5;
    if (!read_number(take_part(text), from) || !read_number(take_part(text), to)) return {};
    if (!text.empty() && !read_number(take_part(text), factor)) return {};
    if (!text.empty() || factor <= 1 || to < from) return {};
    std::vector<double> rates;
    for (double rate = from; rate < to * 0.999 && rates.size() < steps_max; rate *= factor)
        rates.push_back(rate);
    rates.push_back(to);
    return rates;
}

bool keeps_up(const step_verdict& step, const knee_rule& rule) {
    return step.faultless && step.p99 <= rule.p99_max && step.achieved >= step.offered * rule.achieved_min;
}

std::optional<double> knee(const std::vector<step_verdict>& steps, const knee_rule& rule) {
    std::optional<double> highest;
    for (const step_verdict& step : steps) {
        if (!keeps_up(step, rule)) break;
        highest = step.offered;
    }
    return highest;
}

}  // namespace bench
