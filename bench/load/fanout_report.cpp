#include "bench/load/fanout_report.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace bench {

namespace {

constexpr double quantiles[] = {0.5, 0.9, 0.99, 0.999, 1};
constexpr const char* quantile_names[] = {"p50", "p90", "p99", "p999", "max"};

[[gnu::format(printf, 1, 2)]] std::string text(const char* form, ...) {
    char line[1024];
    va_list args;
    va_start(args, form);
    std::vsnprintf(line, sizeof line, form, args);
    va_end(args);
    return line;
}

double micros(const histogram& of, double part) {
    return std::chrono::duration<double, std::micro>(of.quantile(part)).count();
}

std::string duration(double us) {
    if (us >= 1e6) return text("%.2fs", us / 1e6);
    return us >= 1000 ? text("%.1fms", us / 1000) : text("%.0fus", us);
}

std::string rate(const step_record& step) {
    return step.plan.how == pacing::saturated ? "full" : text("%.0f", step.plan.rate);
}

std::string quoted(const std::string& words) {
    std::string out = "\"";
    for (const char c : words) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
    return out + "\"";
}

std::string json_of(const histogram& of) {
    std::string out = text("{\"count\": %llu", static_cast<unsigned long long>(of.count()));
    for (std::size_t i = 0; i < std::size(quantiles); ++i)
        out += text(", \"%s_us\": %.1f", quantile_names[i], micros(of, quantiles[i]));
    return out + "}";
}

std::string json_of(const step_record& step) {
    const step_result& r = step.result;
    std::string out = "{\"target\": " + quoted(step.target);
    out += text(", \"pacing\": \"%s\", \"rate\": %.1f, \"burst\": %u, \"payload\": %zu",
                step.plan.how == pacing::open ? "open" : "saturated", step.plan.rate, step.plan.burst,
                step.plan.payload);
    out += text(", \"sent\": %llu, \"expected\": %llu, \"delivered\": %llu, \"seconds\": %.4f",
                static_cast<unsigned long long>(r.sent), static_cast<unsigned long long>(r.expected),
                static_cast<unsigned long long>(r.delivered), r.seconds);
    out += text(", \"messages_per_second\": %.1f, \"deliveries_per_second\": %.1f",
                step.messages_per_second(), step.deliveries_per_second());
    out += text(", \"lost\": %llu, \"duplicated\": %llu, \"reordered\": %llu, \"strays\": %llu",
                static_cast<unsigned long long>(r.faults.lost),
                static_cast<unsigned long long>(r.faults.duplicated),
                static_cast<unsigned long long>(r.faults.reordered),
                static_cast<unsigned long long>(r.faults.strays));
    if (step.redis_bytes) out += text(", \"redis_bytes_per_message\": %.1f", step.redis_bytes_per_message());
    out += ", \"latency\": " + json_of(r.latency) + ", \"last_member\": " + json_of(r.last);
    out += ", \"sender_lateness\": " + json_of(r.lateness) + ", \"cpu_us_per_delivery\": {";
    for (const cpu_use& each : step.servers)
        out += quoted(each.process) + text(": %.4f, ", step.cpu_us(each.ns));
    out += text("\"load\": %.4f}, \"load_cpu_share\": %.3f", step.cpu_us(r.load_cpu_ns), step.load_share());
    return out + text(", \"faultless\": %s}", step.verdict().faultless ? "true" : "false");
}

}  // namespace

double step_record::messages_per_second() const {
    return static_cast<double>(result.last.count()) / std::max(result.seconds, 1e-9);
}

double step_record::deliveries_per_second() const {
    return static_cast<double>(result.delivered) / std::max(result.seconds, 1e-9);
}

double step_record::cpu_us(std::uint64_t ns) const {
    return static_cast<double>(ns) / 1000 / static_cast<double>(std::max<std::uint64_t>(result.delivered, 1));
}

double step_record::redis_bytes_per_message() const {
    return static_cast<double>(redis_bytes.value_or(0)) /
           static_cast<double>(std::max<std::uint64_t>(result.sent, 1));
}

double step_record::load_share() const {
    return static_cast<double>(result.load_cpu_ns) / 1e9 / std::max(result.seconds, 1e-9);
}

// By what was to arrive within the step's time: the way of the last message counts for the latency, not for
// the rate.
step_verdict step_record::verdict() const {
    const double due = static_cast<double>(result.sent) / plan.rate;
    const double share = result.expected == 0
                             ? 0
                             : static_cast<double>(result.delivered) / static_cast<double>(result.expected);
    const double slack = std::chrono::duration<double>(result.latency.quantile(0.99)).count();
    const double achieved = plan.rate * share * std::min(1.0, due / std::max(result.seconds - slack, 1e-9));
    return {plan.rate, achieved, result.latency.quantile(0.99), !result.faults.any()};
}

std::vector<std::string> fanout_record::targets() const {
    std::vector<std::string> names;
    for (const step_record& step : steps)
        if (std::find(names.begin(), names.end(), step.target) == names.end()) names.push_back(step.target);
    return names;
}

std::vector<const step_record*> fanout_record::steps_of(const std::string& target) const {
    std::vector<const step_record*> found;
    for (const step_record& step : steps)
        if (step.target == target) found.push_back(&step);
    return found;
}

std::optional<double> fanout_record::knee_of(const std::string& target) const {
    std::vector<step_verdict> verdicts;
    for (const step_record* step : steps_of(target))
        if (step->plan.how == pacing::open) verdicts.push_back(step->verdict());
    return knee(verdicts, rule);
}

std::string progress_line(const step_record& step) {
    const step_result& r = step.result;
    std::string line =
        text("%-14s %8s/s  %9.0f deliveries/s  p50 %8s  p99 %8s  last p50 %8s", step.target.c_str(),
             rate(step).c_str(), step.deliveries_per_second(), duration(micros(r.latency, 0.5)).c_str(),
             duration(micros(r.latency, 0.99)).c_str(), duration(micros(r.last, 0.5)).c_str());
    for (const cpu_use& each : step.servers)
        line += text("  %s %.2fus", each.process.c_str(), step.cpu_us(each.ns));
    return line;
}

std::string table(const fanout_record& record) {
    std::string out = record.title + "\n\n";
    out += text("%-14s %8s %9s %11s %8s %8s %8s %8s %9s %9s  %-20s %s\n", "target", "offered", "messages",
                "deliveries", "p50", "p99", "p99.9", "max", "last p50", "last p99", "lost/double/disorder",
                "CPU us per delivery (load: share of a core)");
    for (const std::string& target : record.targets()) {
        for (const step_record* step : record.steps_of(target)) {
            const step_result& r = step->result;
            out += text("%-14s %6s/s %7.0f/s %9.0f/s %8s %8s %8s %8s %9s %9s  ", target.c_str(),
                        rate(*step).c_str(), step->messages_per_second(), step->deliveries_per_second(),
                        duration(micros(r.latency, 0.5)).c_str(), duration(micros(r.latency, 0.99)).c_str(),
                        duration(micros(r.latency, 0.999)).c_str(), duration(micros(r.latency, 1)).c_str(),
                        duration(micros(r.last, 0.5)).c_str(), duration(micros(r.last, 0.99)).c_str());
            const std::string faults = text("%llu/%llu/%llu", static_cast<unsigned long long>(r.faults.lost),
                                            static_cast<unsigned long long>(r.faults.duplicated),
                                            static_cast<unsigned long long>(r.faults.reordered));
            out += text("%-20s ", faults.c_str());
            for (const cpu_use& each : step->servers)
                out += text("%s %.2f  ", each.process.c_str(), step->cpu_us(each.ns));
            if (step->redis_bytes)
                out += text("Redis %.0f bytes a message  ", step->redis_bytes_per_message());
            out += text("load %.2f (%.0f%%)\n", step->cpu_us(r.load_cpu_ns), step->load_share() * 100);
        }
        if (record.steps_of(target).size() > 1) {
            const auto highest = record.knee_of(target);
            out += text("%-14s knee: %s\n", target.c_str(),
                        highest ? text("keeps up with %.0f messages/s", *highest).c_str()
                                : "keeps up with none of these rates");
        }
    }
    return out;
}

std::string json(const fanout_record& record) {
    std::string out = "{\"title\": " + quoted(record.title) + ",\n \"knee\": {";
    std::string comma;
    for (const std::string& target : record.targets()) {
        const auto highest = record.knee_of(target);
        out += comma + quoted(target) + ": " + (highest ? text("%.1f", *highest) : "null");
        comma = ", ";
    }
    out += "},\n \"steps\": [";
    comma = "\n  ";
    for (const step_record& step : record.steps) {
        out += comma + json_of(step);
        comma = ",\n  ";
    }
    return out + "\n]}\n";
}

}  // namespace bench
