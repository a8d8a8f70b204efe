#include "sidecar/config/setters.hpp"

#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <regex>

namespace sidecar {
namespace {

constexpr std::array<std::string_view, 6> log_levels{"trace", "debug", "info", "warn", "error", "off"};

bool has_control_characters(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; });
}

}  // namespace

parsed<std::string> parse_secret(std::string_view text) {
    if (text.size() > 512) return bad_value{"longer than 512 bytes"};
    if (text.find('\0') != std::string_view::npos) return bad_value{"contains a zero byte"};
    return std::string(text);
}

parsed<std::string> parse_token(std::string_view text) {
    const bool usable = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (!usable) return bad_value{"contains characters that no Authorization header can carry"};
    return parse_secret(text);
}

parsed<std::string> parse_path(std::string_view text) {
    if (text.empty()) return bad_value{"the path is empty"};
    if (has_control_characters(text)) return bad_value{in_quotes(text) + " contains control characters"};
    return std::string(text);
}

parsed<std::string> parse_socket_path(std::string_view text) {
    if (text == "off") return std::string();
    if (text.size() >= sizeof(sockaddr_un::sun_path))
        return bad_value{in_quotes(text) + " is longer than the 107 bytes of a socket address"};
    return parse_path(text);
}

parsed<std::string> parse_readable_file(std::string_view text) {
    parsed<std::string> path = parse_path(text);
    if (std::holds_alternative<bad_value>(path)) return path;
    const std::string& name = std::get<std::string>(path);
    std::error_code ec;
    if (std::filesystem::is_directory(name, ec)) return bad_value{in_quotes(text) + " is a directory"};
    if (::access(name.c_str(), R_OK) != 0)
        return bad_value{"cannot read " + in_quotes(text) + ": " + std::strerror(errno)};
    return path;
}

parsed<std::string> parse_log_level(std::string_view text) {
    const std::string level = lower_case(text);
    if (std::find(log_levels.begin(), log_levels.end(), level) == log_levels.end())
        return bad_value{in_quotes(text) + " is none of trace, debug, info, warn, error, off"};
    return level;
}

parsed<policy_mode> parse_policy(std::string_view text) {
    const std::string mode = lower_case(text);
    if (mode == "strict") return policy_mode::strict;
    if (mode == "audit") return policy_mode::audit;
    if (mode == "open") return policy_mode::open;
    return bad_value{in_quotes(text) + " is none of strict, audit, open"};
}

parsed<channels_mode> parse_channels_mode(std::string_view text) {
    const std::string mode = lower_case(text);
    if (mode == "guard") return channels_mode::guard;
    if (mode == "passthrough") return channels_mode::passthrough;
    return bad_value{in_quotes(text) + " is none of guard, passthrough"};
}

parsed<broker_mode> parse_broker_mode(std::string_view text) {
    const std::string mode = lower_case(text);
    if (mode == "observe") return broker_mode::observe;
    if (mode == "off") return broker_mode::off;
    return bad_value{in_quotes(text) + " is none of observe, off"};
}

parsed<orphan_mode> parse_orphan_mode(std::string_view text) {
    const std::string mode = lower_case(text);
    if (mode == "report") return orphan_mode::report;
    if (mode == "restore") return orphan_mode::restore;
    return bad_value{in_quotes(text) + " is none of report, restore"};
}

parsed<std::string> parse_event_type(std::string_view text) {
    if (text == "off") return std::string();
    const bool usable = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (!usable || text.size() > 100)
        return bad_value{in_quotes(text) + " is no message type: one word of at most 100 characters"};
    return std::string(text);
}

parsed<std::chrono::milliseconds> parse_milliseconds(std::string_view text) {
    parsed<std::chrono::microseconds> outcome = parse_duration(text);
    if (auto* bad = std::get_if<bad_value>(&outcome)) return std::move(*bad);
    const auto time = std::get<std::chrono::microseconds>(outcome);
    if (time > std::chrono::hours(24)) return bad_value{in_quotes(text) + " is more than a day"};
    return std::chrono::ceil<std::chrono::milliseconds>(time);
}

parsed<std::uint64_t> parse_number(std::string_view text, std::uint64_t min, std::uint64_t max) {
    std::uint64_t number = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = ec == std::errc{} && end == text.data() + text.size();
    if (!whole || number < min || number > max)
        return bad_value{in_quotes(text) + " is not a number from " + std::to_string(min) + " to " +
                         std::to_string(max)};
    return number;
}

set_result set_all_databases(config& into, given_values values) {
    redis_url url;
    if (set_result bad = store(parse_redis_url(values.front()), url)) return bad;
    into.redis.fill(url);
    return std::nullopt;
}

set_result set_embedded(config& into, given_values values) {
    if (set_result bad = store(parse_switch(values.front()), into.embedded)) return bad;
    if (!into.embedded) return std::nullopt;
    redis_url own;
    own.scheme = url_scheme::unix_socket;
    into.redis.fill(own);
    return std::nullopt;
}

set_result set_password(config& into, given_values values) {
    if (set_result bad = store(parse_secret(values.front()), into.password)) return bad;
    into.redis_password = into.password;
    return std::nullopt;
}

set_result set_hold(config& into, given_values values) {
    if (set_result bad = store(parse_milliseconds(values.front()), into.hold)) return bad;
    into.db0_hold = into.hold;
    return std::nullopt;
}

set_result set_slowlog(config& into, given_values values) {
    if (lower_case(values.front()) != "off")
        return store(parse_duration(values.front()), into.slowlog_slower_than);
    into.slowlog_slower_than = std::chrono::microseconds::max();
    return std::nullopt;
}

set_result read_dbs(std::vector<int>& into, given_values values) {
    into.clear();
    for (const std::string& value : values) {
        int db = 0;
        if (set_result bad = store(parse_number(value, 0, 15), db)) return bad;
        into.push_back(db);
    }
    return std::nullopt;
}

set_result set_trash_ttl(config& into, given_values values) {
    constexpr std::chrono::hours ttl_max{365 * 24};
    parsed<std::chrono::microseconds> outcome = parse_duration(values.front());
    if (const auto* time = std::get_if<std::chrono::microseconds>(&outcome))
        if (*time < std::chrono::seconds(1) || *time > ttl_max)
            return bad_value{in_quotes(values.front()) + " is not between 1s and 8760h"};
    if (auto* bad = std::get_if<bad_value>(&outcome)) return std::move(*bad);
    into.broker.trash_ttl =
        std::chrono::ceil<std::chrono::milliseconds>(std::get<std::chrono::microseconds>(outcome));
    return std::nullopt;
}

set_result set_masks(config& into, given_values values) {
    constexpr std::size_t pattern_bytes_max = 1024;
    std::vector<std::string> patterns;
    for (const std::string& value : values) {
        if (value.empty()) continue;
        if (value.size() > pattern_bytes_max) return bad_value{"longer than 1024 bytes"};
        try {
            const std::regex tried(value, std::regex::icase);
        } catch (const std::regex_error&) {
            return bad_value{in_quotes(value) + " is not a regular expression"};
        }
        patterns.push_back(value);
    }
    into.broker.mask = std::move(patterns);
    return std::nullopt;
}

}  // namespace sidecar
