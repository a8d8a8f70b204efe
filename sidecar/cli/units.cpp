#include "sidecar/cli/units.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace sidecar {
namespace {

template <class... Values>
std::string printed(const char* format, Values... values) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

// "3m05s": the greater unit and the next smaller one.
std::string two_units(std::int64_t seconds, std::int64_t unit, char name, std::int64_t next, char next_name) {
    return printed("%lld%c%02lld%c", static_cast<long long>(seconds / unit), name,
                   static_cast<long long>(seconds % unit / next), next_name);
}

constexpr double seconds_max = 1e11;  // three thousand years: beyond it a time is none

bool tells_time(double seconds) {
    return std::isfinite(seconds) && std::abs(seconds) < seconds_max;
}

std::string local_time(double unix_seconds, const char* format) {
    const auto whole = static_cast<std::time_t>(std::floor(unix_seconds));
    std::tm parts{};
    if (localtime_r(&whole, &parts) == nullptr) return "?";
    std::array<char, 64> text{};
    text[std::strftime(text.data(), text.size() - 1, format, &parts)] = '\0';
    return text.data();
}

}  // namespace

std::string count_text(std::int64_t count) {
    std::string digits = std::to_string(count);
    const std::size_t first = count < 0 ? 1 : 0;
    for (std::size_t place = digits.size(); place > first + 3;) digits.insert(place -= 3, 1, ',');
    return digits;
}

std::string duration_text(double seconds) {
    if (!tells_time(seconds)) return "?";
    if (seconds < 0) return "-" + duration_text(-seconds);
    if (seconds < 0.9995) return printed("%.0fms", seconds * 1000);
    const std::int64_t whole = std::llround(seconds);
    if (whole < 60) return printed("%llds", static_cast<long long>(whole));
    if (whole < 3600) return two_units(whole, 60, 'm', 1, 's');
    if (whole < 86'400) return two_units(whole, 3600, 'h', 60, 'm');
    return two_units(whole, 86'400, 'd', 3600, 'h');
}

std::string bytes_text(double bytes) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (bytes >= 1023.5 && unit + 1 < units.size()) {
        bytes /= 1024;
        ++unit;
    }
    return printed(unit > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

std::string rate_text(double per_second) {
    if (!std::isfinite(per_second)) return "?";
    if (per_second >= 99.95) return count_text(std::llround(per_second));
    if (per_second < 0.005) return "0";
    return printed(per_second < 0.995 ? "%.2f" : "%.1f", per_second);
}

std::string moment_text(double unix_seconds) {
    return tells_time(unix_seconds) ? local_time(unix_seconds, "%Y-%m-%d %H:%M:%S") : "?";
}

std::string time_of_day_text(double unix_seconds) {
    if (!tells_time(unix_seconds)) return "?";
    const double part = unix_seconds - std::floor(unix_seconds);
    return local_time(unix_seconds, "%H:%M:%S") + printed(".%03d", static_cast<int>(part * 1000));
}

}  // namespace sidecar
