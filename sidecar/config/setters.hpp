#pragma once
// The setters and comparisons that options.cpp's table is made of. A field is named by its path of members:
// set<parse_endpoint, &config::http>, set_list<parse_endpoint, &config::tls, &tls_settings::listen>.

#include <charconv>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/config/parse.hpp"
#include "sidecar/config/text.hpp"

namespace sidecar {

using set_result = std::optional<bad_value>;  // nullopt = the value was good
using given_values = std::span<const std::string>;

[[nodiscard]] parsed<std::string> parse_secret(std::string_view text);
[[nodiscard]] parsed<std::string> parse_token(std::string_view text);
[[nodiscard]] parsed<std::string> parse_path(std::string_view text);
[[nodiscard]] parsed<std::string> parse_socket_path(std::string_view text);
[[nodiscard]] parsed<std::string> parse_readable_file(std::string_view text);
[[nodiscard]] parsed<std::string> parse_log_level(std::string_view text);
[[nodiscard]] parsed<policy_mode> parse_policy(std::string_view text);
[[nodiscard]] parsed<channels_mode> parse_channels_mode(std::string_view text);
[[nodiscard]] parsed<broker_mode> parse_broker_mode(std::string_view text);
[[nodiscard]] parsed<orphan_mode> parse_orphan_mode(std::string_view text);
[[nodiscard]] parsed<std::string> parse_event_type(std::string_view text);                  // "off" = empty
[[nodiscard]] parsed<std::chrono::milliseconds> parse_milliseconds(std::string_view text);  // at most a day
[[nodiscard]] parsed<std::uint64_t> parse_number(std::string_view text, std::uint64_t min, std::uint64_t max);

set_result set_all_databases(config& into, given_values values);
set_result set_embedded(config& into, given_values values);
set_result set_password(config& into, given_values values);  // also upstream's, by default
set_result set_hold(config& into, given_values values);      // also db 0's, by default
set_result set_slowlog(config& into, given_values values);
set_result set_trash_ttl(config& into, given_values values);
set_result set_masks(config& into, given_values values);
set_result read_dbs(std::vector<int>& into, given_values values);

template <auto... Path, class Settings>
auto& field(Settings& settings) {
    return (settings.*....*Path);
}

// Moves a good value into `target`.
template <class Value, class Field>
set_result store(parsed<Value> outcome, Field& target) {
    if (auto* bad = std::get_if<bad_value>(&outcome)) return std::move(*bad);
    target = static_cast<Field>(std::get<0>(std::move(outcome)));
    return std::nullopt;
}

template <auto Parse, auto... Path>
set_result set(config& into, given_values values) {
    return store(Parse(values.front()), field<Path...>(into));
}

template <auto Parse, auto... Path>
set_result set_list(config& into, given_values values) {
    auto& list = field<Path...>(into);
    list.clear();
    for (const std::string& value : values) {
        endpoint one;
        if (set_result bad = store(Parse(value), one)) return bad;
        if (!one.host.empty()) list.push_back(std::move(one));
    }
    return std::nullopt;
}

template <std::uint64_t Min, std::uint64_t Max, auto... Path>
set_result set_number(config& into, given_values values) {
    return store(parse_number(values.front(), Min, Max), field<Path...>(into));
}

template <std::uint64_t Min, auto... Path>
set_result set_size(config& into, given_values values) {
    parsed<std::uint64_t> outcome = parse_size(values.front());
    const auto* bytes = std::get_if<std::uint64_t>(&outcome);
    if (bytes != nullptr && *bytes < Min)
        return bad_value{in_quotes(values.front()) + " is less than " + std::to_string(Min) + " bytes"};
    return store(std::move(outcome), field<Path...>(into));
}

template <auto... Path>
set_result set_milliseconds(config& into, given_values values) {
    return store(parse_milliseconds(values.front()), field<Path...>(into));
}

template <auto... Path>
set_result set_dbs(config& into, given_values values) {
    return read_dbs(field<Path...>(into), values);
}

template <std::size_t Db>
set_result set_database(config& into, given_values values) {
    return store(parse_redis_url(values.front()), into.redis[Db]);
}

template <auto... Path>
bool same(const config& a, const config& b) {
    return field<Path...>(a) == field<Path...>(b);
}

template <std::size_t Db>
bool same_database(const config& a, const config& b) {
    return a.redis[Db] == b.redis[Db];
}

inline bool always_same(const config&, const config&) {
    return true;
}  // --redis: seen in its dbs

}  // namespace sidecar
