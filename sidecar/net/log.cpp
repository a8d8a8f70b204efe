#include "sidecar/net/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "sidecar/net/log_text.hpp"

namespace sidecar {
namespace {

constexpr std::array<std::string_view, 6> level_names{"trace", "debug", "info", "warn", "error", "off"};
constexpr std::size_t keys_max = 4096;

std::atomic<log_level> threshold{log_level::info};
std::atomic<log_format> line_format{log_format::text};

// spdlog gives the locked, line-wise writing; lines arrive finished, so its own pattern is the bare text.
spdlog::logger& logger() {
    static const std::shared_ptr<spdlog::logger> only = [] {
        auto made =
            std::make_shared<spdlog::logger>("sidecar", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%v");
        made->set_level(spdlog::level::trace);
        made->flush_on(spdlog::level::trace);
        return made;
    }();
    return *only;
}

std::string_view name_of(log_level level) {
    return level_names[static_cast<std::size_t>(level)];
}

std::string timestamp(std::chrono::system_clock::time_point when) {
    const auto since = std::chrono::floor<std::chrono::milliseconds>(when.time_since_epoch());
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since).count();
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::string fraction = std::to_string(1000 + (since.count() % 1000));
    fraction[0] = '.';
    return std::string(text.data(), length) + fraction + "Z";
}

}  // namespace

void configure_log(std::string_view level, log_format format) {
    log_level chosen = log_level::info;
    for (std::size_t i = 0; i < level_names.size(); ++i)
        if (level_names[i] == level) chosen = static_cast<log_level>(i);
    threshold = chosen;
    line_format = format;
}

bool log_enabled(log_level level) {
    return level >= threshold.load() && level != log_level::off;
}

void log_event(log_level level, std::string_view event, std::span<const log_field> fields) {
    if (!log_enabled(level)) return;
    const std::string line =
        format_log_line(line_format.load(), std::chrono::system_clock::now(), level, event, fields);
    logger().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

void log_event(log_level level, std::string_view event, std::initializer_list<log_field> fields) {
    log_event(level, event, std::span<const log_field>(fields.begin(), fields.size()));
}

void flush_log() {
    logger().flush();
}

std::string format_log_line(log_format format, std::chrono::system_clock::time_point when, log_level level,
                            std::string_view event, std::span<const log_field> fields) {
    std::string line;
    if (format == log_format::json) {
        line = "{\"time\":\"" + timestamp(when) + "\",\"level\":\"" + std::string(name_of(level)) +
               "\",\"event\":";
        append_json_string(line, event);
        for (const log_field& field : fields) {
            line += ',';
            append_json_string(line, field.key);
            line += ':';
            append_json_string(line, field.value);
        }
        return line + "}";
    }
    line = timestamp(when) + " " + std::string(name_of(level)) + " ";
    append_escaped(line, event);
    for (const log_field& field : fields) {
        line += ' ';
        append_escaped(line, field.key);
        line += '=';
        append_text_value(line, field.value);
    }
    return line;
}

log_limiter::decision log_limiter::admit(std::string_view key, time_point now) {
    if (windows_.size() >= keys_max && !windows_.contains(std::string(key))) windows_.clear();
    window& current = windows_.try_emplace(std::string(key), window{now, 0, 0}).first->second;
    if (now - current.since >= std::chrono::seconds(1)) {
        current.since = now;
        current.passed = 0;
    }
    if (current.passed >= per_second_) {
        ++current.suppressed;
        return {};
    }
    ++current.passed;
    return {true, std::exchange(current.suppressed, 0)};
}

void log_limiter::event(log_level level, std::string_view key, std::string_view event,
                        std::span<const log_field> fields, time_point now) {
    if (!log_enabled(level)) return;
    const decision verdict = admit(key, now);
    if (!verdict.pass) return;
    if (verdict.suppressed == 0) return log_event(level, event, fields);
    std::vector<log_field> extended(fields.begin(), fields.end());
    extended.push_back({"suppressed", std::to_string(verdict.suppressed)});
    log_event(level, event, extended);
}

void log_limiter::event(log_level level, std::string_view key, std::string_view event,
                        std::initializer_list<log_field> fields, time_point now) {
    this->event(level, key, event, std::span<const log_field>(fields.begin(), fields.size()), now);
}

}  // namespace sidecar
