#pragma once
// JSON as Python's json module writes it: besides JSON also NaN, Infinity, lone surrogates and integers of
// any length. Unlike a strict parser it keeps what can be shown.

#include <string_view>

#include "broker/typed_value.hpp"

namespace broker {

[[nodiscard]] decoded_value read_json(std::string_view text, const value_limits& limits = {});

}  // namespace broker
