#include "broker/iso_time.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>

namespace broker {

namespace {

constexpr std::int64_t us_per_s = 1'000'000;

// Takes `digits` digits from the front.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
    int value = 0;
    if (text.size() < digits) return std::nullopt;
    for (std::size_t i = 0; i < digits; ++i) {
        if (text[i] < '0' || text[i] > '9') return std::nullopt;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(digits);
    return value;
}

bool take(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

std::int64_t take_fraction_us(std::string_view& text) {
    std::int64_t us = 0;
    int digits = 0;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1))
        if (digits < 6) {
            us = us * 10 + (text.front() - '0');
            ++digits;
        }
    for (; digits < 6; ++digits) us *= 10;
    return us;
}

std::optional<std::int64_t> take_date_s(std::string_view& text) {
    const auto year = take_digits(text, 4);
    const bool dashes = take(text, "-");
    const auto month = take_digits(text, 2);
    if (dashes && !take(text, "-")) return std::nullopt;
    const auto day = take_digits(text, 2);
    if (!year || !month || !day) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400};
}

// hh[:mm[:ss[.ffffff]]] in microseconds.
std::optional<std::int64_t> take_clock_us(std::string_view& text) {
    const auto hours = take_digits(text, 2);
    if (!hours || *hours > 24) return std::nullopt;
    std::int64_t us = std::int64_t{*hours} * 3600 * us_per_s;
    const bool colons = take(text, ":");
    const auto minutes = take_digits(text, 2);
    if (!minutes) return colons ? std::nullopt : std::optional(us);
    us += std::int64_t{*minutes} * 60 * us_per_s;
    if (colons && !take(text, ":")) return us;
    const auto seconds = take_digits(text, 2);
    if (!seconds) return colons ? std::nullopt : std::optional(us);
    us += *seconds * us_per_s;
    if (take(text, ".,")) us += take_fraction_us(text);
    return us;
}

}  // namespace

std::optional<std::int64_t> parse_iso_time_us(std::string_view text) {
    const auto date = take_date_s(text);
    if (!date) return std::nullopt;
    std::int64_t us = *date * us_per_s;
    if (text.empty()) return us;
    if (!take(text, "Tt ")) return std::nullopt;
    const auto clock = take_clock_us(text);
    if (!clock) return std::nullopt;
    us += *clock;
    if (text.empty() || text == "Z" || text == "z") return us;
    const int sign = text.front() == '-' ? -1 : 1;
    if (!take(text, "+-")) return std::nullopt;
    const auto offset = take_clock_us(text);
    if (!offset || !text.empty()) return std::nullopt;
    return us - sign * *offset;
}

std::string iso_time(std::int64_t unix_us) {
    using namespace std::chrono;
    const sys_time<microseconds> time{microseconds(unix_us)};
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(time - day);
    char buffer[64];
    int length =
        std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                      static_cast<int>(clock.seconds().count()));
    std::string out(buffer, static_cast<std::size_t>(length));
    if (const auto rest = clock.subseconds().count(); rest != 0) {
        length = std::snprintf(buffer, sizeof buffer, ".%06d", static_cast<int>(rest));
        out.append(buffer, static_cast<std::size_t>(length));
    }
    return out + "+00:00";
}

}  // namespace broker
