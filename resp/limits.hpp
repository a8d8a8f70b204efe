#pragma once
// Every bound on bytes that come from outside. Where Redis has the limit, its value is Redis's default.

#include <cstddef>
#include <cstdint>

namespace resp {

inline constexpr std::int64_t argument_count_max = 2'147'483'647;  // INT_MAX, as Redis
inline constexpr std::int64_t bulk_bytes_max = 512LL << 20;        // proto-max-bulk-len
inline constexpr std::size_t header_bytes_max = 64U << 10;         // a header line or an inline command
inline constexpr std::size_t query_bytes_max = 1ULL << 30;         // client-query-buffer-limit
// Arguments that are given out as views; a command may have more (MSET of a million keys), which then travel
// as bytes alone.
inline constexpr std::size_t argument_views_max = 1U << 20;

// Before authentication, so that a stranger cannot make the process hold memory (as Redis).
inline constexpr std::int64_t stranger_argument_count_max = 10;
inline constexpr std::int64_t stranger_bulk_bytes_max = 16'384;
inline constexpr std::size_t stranger_query_bytes_max = 1U << 20;

inline constexpr int reply_depth_max = 64;  // only for replies that are read into a tree

}  // namespace resp
