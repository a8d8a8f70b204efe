#pragma once
// Small helpers for texts of settings.

#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

[[nodiscard]] std::string lower_case(std::string_view text);

// 'text' for an error line: control characters and bytes beyond ASCII as \xNN, cut after 120 characters.
[[nodiscard]] std::string in_quotes(std::string_view text);

// "%41" becomes "A"; nullopt where a % is not followed by two hex digits.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

[[nodiscard]] bool is_ipv4_address(std::string_view text);
[[nodiscard]] bool is_ipv6_address(std::string_view text);  // a zone (%eth0) is allowed
// Letters, digits, '.', '-' and '_': names and IPv4 addresses, not yet resolved.
[[nodiscard]] bool is_host_name(std::string_view text);

}  // namespace sidecar
