#pragma once
// Texts of settings as values: URLs, addresses, durations, sizes. The error is a phrase that follows the
// setting's name ("--hold: 3 parsecs is not a duration …"); it shows the text given, passwords masked.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "sidecar/config/config.hpp"

namespace sidecar {

struct bad_value {
    std::string why;
};

template <class Value>
using parsed = std::variant<Value, bad_value>;

// redis://, rediss:// and unix://, percent-encoded where needed, IPv6 in brackets; no port = 6379. A path
// that names a db ("/1") is refused: the sidecar maps dbs itself.
[[nodiscard]] parsed<redis_url> parse_redis_url(std::string_view text);

// "127.0.0.1:0", "[::1]:6379", ":6379" and "*:6379" (all interfaces), "off" (an endpoint without host).
[[nodiscard]] parsed<endpoint> parse_endpoint(std::string_view text);

// "3s", "500ms", "250us", "2m", "1h", "1.5s"; a plain number counts seconds.
[[nodiscard]] parsed<std::chrono::microseconds> parse_duration(std::string_view text);

// "1048576", "64k", "64kb", "64KiB", "64mb", "1gb": all powers of 1024, as Redis reads them but for "64k".
[[nodiscard]] parsed<std::uint64_t> parse_size(std::string_view text);

// "yes", "true", "on", "1" and their opposites, any case.
[[nodiscard]] parsed<bool> parse_switch(std::string_view text);

// The text with the password of a URL in it replaced by ***; other texts unchanged.
[[nodiscard]] std::string mask_url_text(std::string_view text);

}  // namespace sidecar
