#include "channels/name_pattern.hpp"

#include "resp/glob.hpp"

namespace channels {

std::optional<name_pattern> name_pattern::glob(std::string_view pattern) {
    if (pattern.empty() || pattern.size() > pattern_bytes_max) return std::nullopt;
    name_pattern made;
    made.glob_ = pattern;
    return made;
}

bool name_pattern::matches(std::string_view name) const {
    return resp::glob_match(glob_, name);
}

}  // namespace channels
