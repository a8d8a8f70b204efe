#pragma once
// Which names the channel layer takes. Stricter than Channels' own test, whose expressions let Unicode
// digits and a trailing newline pass.

#include <cstddef>
#include <string_view>

namespace channels {

inline constexpr std::size_t name_bytes_max = 99;

// Letters, digits, '.', '_', '-'; at least one. Groups, processes.
[[nodiscard]] bool valid_group_name(std::string_view name);
// Of a layer: whatever can be seen.
[[nodiscard]] bool valid_prefix(std::string_view prefix);
// As a group's, with at most one '!' that does not come first; behind it there may be nothing.
[[nodiscard]] bool valid_channel_name(std::string_view name);

}  // namespace channels
