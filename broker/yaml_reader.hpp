#pragma once
// YAML as PyYAML's safe loader reads it: YAML 1.1 scalars (yes, 0x1F, 1_000, timestamps), !!binary, aliases.
// Other tags are shown, never built. An alias counts what it stands for, so that a few lines cannot unfold
// to millions.

#include <string_view>

#include "broker/typed_value.hpp"

namespace broker {

[[nodiscard]] decoded_value read_yaml(std::string_view text, const value_limits& limits = {});

}  // namespace broker
