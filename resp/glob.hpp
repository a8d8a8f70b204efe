#pragma once
#include <string_view>

namespace resp {

// Redis's glob: * ? [a-z] [^a] and backslash escapes, over bytes. Case-sensitive. Bounded work: patterns with
// many stars do not take exponential time.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace resp
