#include "sidecar/config/parse.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "sidecar/config/text.hpp"

namespace sidecar {
namespace {

struct unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array<unit, 10> size_units{{
    {"", 1},
    {"b", 1},
    {"k", 1ULL << 10},
    {"kb", 1ULL << 10},
    {"kib", 1ULL << 10},
    {"m", 1ULL << 20},
    {"mb", 1ULL << 20},
    {"mib", 1ULL << 20},
    {"gb", 1ULL << 30},
    {"gib", 1ULL << 30},
}};

constexpr std::array<unit, 6> duration_units{{
    {"", 1'000'000},
    {"us", 1},
    {"ms", 1'000},
    {"s", 1'000'000},
    {"m", 60'000'000},
    {"h", 3'600'000'000},
}};

template <std::size_t Count>
const unit* find_unit(const std::array<unit, Count>& units, std::string_view name) {
    const std::string wanted = lower_case(name);
    const auto found =
        std::find_if(units.begin(), units.end(), [&](const unit& u) { return u.name == wanted; });
    return found == units.end() ? nullptr : &*found;
}

// The port, or nullopt for anything but 0..65535 in plain digits.
std::optional<std::uint16_t> port_of(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (ec != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return port;
}

}  // namespace

parsed<endpoint> parse_endpoint(std::string_view text) {
    if (lower_case(text) == "off") return endpoint{};
    const auto refuse = [&](std::string_view why) {
        return bad_value{in_quotes(text) + " is not HOST:PORT: " + std::string(why)};
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return refuse("the port is missing");
    const std::optional<std::uint16_t> port = port_of(text.substr(colon + 1));
    if (!port) return refuse("the port must be a number from 0 to 65535");

    std::string_view host = text.substr(0, colon);
    if (host.empty() || host == "*") return endpoint{"*", *port};
    if (host.front() == '[') {
        if (host.back() != ']') return refuse("the bracket of the IPv6 address is not closed");
        host = host.substr(1, host.size() - 2);
        if (!is_ipv6_address(host)) return refuse("no IPv6 address in the brackets");
    } else if (host.find(':') != std::string_view::npos) {
        return refuse("an IPv6 address must stand in brackets");
    } else if (!is_host_name(host)) {
        return refuse("no valid host name");
    }
    return endpoint{std::string(host), *port};
}

parsed<std::chrono::microseconds> parse_duration(std::string_view text) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    double count = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + digits, count);
    const unit* scale = find_unit(duration_units, text.substr(digits));
    if (digits == 0 || ec != std::errc{} || end != text.data() + digits || scale == nullptr)
        return bad_value{in_quotes(text) + " is not a duration such as 3s, 500ms, 2m or 1h"};
    const double total = std::round(count * static_cast<double>(scale->factor));
    if (total > 1e15) return bad_value{in_quotes(text) + " is too long a duration"};
    return std::chrono::microseconds(static_cast<std::int64_t>(total));
}

parsed<std::uint64_t> parse_size(std::string_view text) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    std::uint64_t count = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + digits, count);
    const unit* scale = find_unit(size_units, text.substr(digits));
    if (digits == 0 || ec == std::errc::invalid_argument || scale == nullptr)
        return bad_value{in_quotes(text) + " is not a size such as 1048576, 64kb or 64mb"};
    if (ec == std::errc::result_out_of_range ||
        count > std::numeric_limits<std::uint64_t>::max() / scale->factor)
        return bad_value{in_quotes(text) + " is too large a size"};
    return count * scale->factor;
}

parsed<bool> parse_switch(std::string_view text) {
    const std::string word = lower_case(text);
    if (word == "yes" || word == "true" || word == "on" || word == "1") return true;
    if (word == "no" || word == "false" || word == "off" || word == "0") return false;
    return bad_value{in_quotes(text) + " is neither yes nor no"};
}

}  // namespace sidecar
