#pragma once
// Times as Celery writes them: ISO 8601, with or without a zone.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace broker {

// Microseconds since 1970. A time without a zone is UTC, which is what Celery takes it for by default.
[[nodiscard]] std::optional<std::int64_t> parse_iso_time_us(std::string_view text);
// 2026-11-22T12:10:35.032847+00:00; without a fraction when it is whole seconds.
[[nodiscard]] std::string iso_time(std::int64_t unix_us);

}  // namespace broker
