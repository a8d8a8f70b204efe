#pragma once
// Figures as people read them.

#include <cstdint>
#include <string>
#include <string_view>

namespace sidecar {

[[nodiscard]] std::string count_text(std::int64_t count);         // 1,234,567
[[nodiscard]] std::string duration_text(double seconds);          // 340ms, 12s, 3m05s, 2h10m, 4d03h
[[nodiscard]] std::string bytes_text(double bytes);               // 812 B, 1.2 KiB, 34 MiB
[[nodiscard]] std::string rate_text(double per_second);           // 0, 0.25, 12.4, 1,830
[[nodiscard]] std::string moment_text(double unix_seconds);       // local time: 2026-11-22 23:14:05
[[nodiscard]] std::string time_of_day_text(double unix_seconds);  // local time: 23:14:05.120

}  // namespace sidecar
