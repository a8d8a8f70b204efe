#pragma once
// SHA-1 as Redis names scripts by it: 40 lower-case hex digits. Not for anything that must resist an
// attacker.

#include <string>
#include <string_view>

namespace channels {

[[nodiscard]] std::string sha1_hex(std::string_view text);

}  // namespace channels
