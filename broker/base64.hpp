#pragma once
// Base64 as Python's base64 module writes it and as other clients may: standard or URL alphabet, with or
// without padding, with line breaks.

#include <optional>
#include <string>
#include <string_view>

namespace broker {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
// nullopt for anything else than base64: a foreign character, a lone character at the end, text behind
// padding.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace broker
