#pragma once
// When messages are due, and which rates are tried: open loop, so that a slow server does not slow down the
// questions put to it.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

enum class pacing : std::uint8_t {
    open,       // by the clock, whatever has arrived
    saturated,  // so many batches at once on their way: capacity, not latency
};

// One step of a run: the same rate all along.
struct step_plan {
    pacing how = pacing::open;
    double rate = 100;        // messages a second, of all publishers
    std::uint32_t burst = 1;  // messages due at the same moment
    std::uint32_t publishers = 1;
    std::uint32_t window = 2;  // batches, when saturated
    std::size_t payload = 200;
    std::chrono::nanoseconds time{std::chrono::seconds(5)};
    std::uint64_t messages_max = 0;                              // 0: as many as the time allows
    std::chrono::nanoseconds patience{std::chrono::seconds(3)};  // without any delivery, at the end
    std::uint32_t number = 0;  // tells the publishers of one step from another's
};

class schedule {
public:
    explicit schedule(const step_plan& plan) : plan_(plan) {}
    // Nothing: all batches have been taken, or, saturated, too few have arrived. `elapsed` is since the
    // step's begin, `batches_done` how many have reached everybody.
    [[nodiscard]] bool due(std::chrono::nanoseconds elapsed, std::uint64_t batches_done) const;
    [[nodiscard]] bool over(std::chrono::nanoseconds elapsed) const;
    // When the next batch is due, since the step's begin; saturated, that is now.
    [[nodiscard]] std::chrono::nanoseconds next(std::chrono::nanoseconds elapsed) const;
    void take() { ++batches_; }
    [[nodiscard]] std::uint64_t batches() const { return batches_; }

private:
    step_plan plan_;
    std::uint64_t batches_ = 0;
};

// "100:10000" or "100:10000:1.5": from, to, factor between steps. Empty where it is nothing of that kind.
[[nodiscard]] std::vector<double> ramp_rates(std::string_view text);

// What decides whether a server keeps up with a rate.
struct step_verdict {
    double offered = 0;
    double achieved = 0;
    std::chrono::nanoseconds p99{0};
    bool faultless = true;
};
struct knee_rule {
    std::chrono::nanoseconds p99_max{std::chrono::milliseconds(50)};
    double achieved_min = 0.95;  // of what was offered
};
[[nodiscard]] bool keeps_up(const step_verdict& step, const knee_rule& rule);
// The highest rate before the first that was too much.
[[nodiscard]] std::optional<double> knee(const std::vector<step_verdict>& steps, const knee_rule& rule);

}  // namespace bench
