#pragma once
// What was measured, as a table, as JSON, and as one HTML page that needs nothing from elsewhere.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/fanout_schedule.hpp"
#include "bench/load/fanout_target.hpp"

namespace bench {

struct cpu_use {
    std::string process;
    std::uint64_t ns = 0;
};

struct step_record {
    std::string target;
    step_plan plan;
    step_result result;
    std::vector<cpu_use> servers;
    std::optional<std::uint64_t> redis_bytes;  // that went through Redis, where asked for

    [[nodiscard]] double messages_per_second() const;
    [[nodiscard]] double deliveries_per_second() const;
    // CPU microseconds of one of the servers, or of the load itself, for each delivery.
    [[nodiscard]] double cpu_us(std::uint64_t ns) const;
    [[nodiscard]] double redis_bytes_per_message() const;
    // Of one core, while the step ran.
    [[nodiscard]] double load_share() const;
    [[nodiscard]] step_verdict verdict() const;
};

struct fanout_record {
    std::string title;  // what was measured, in a line
    std::vector<step_record> steps;
    knee_rule rule;

    [[nodiscard]] std::vector<std::string> targets() const;
    [[nodiscard]] std::vector<const step_record*> steps_of(const std::string& target) const;
    [[nodiscard]] std::optional<double> knee_of(const std::string& target) const;
};

[[nodiscard]] std::string progress_line(const step_record& step);
[[nodiscard]] std::string table(const fanout_record& record);
[[nodiscard]] std::string json(const fanout_record& record);
[[nodiscard]] std::string html(const fanout_record& record);  // fanout_html.cpp

}  // namespace bench
