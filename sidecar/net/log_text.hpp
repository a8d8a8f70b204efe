#pragma once
// Escaping for log lines and for JSON written by hand.

#include <string>
#include <string_view>

namespace sidecar {

// Appends text as a JSON string, quotes included. What is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
[[nodiscard]] std::string json_string(std::string_view text);

// Appends text with control characters and bytes that are not UTF-8 as \n, \xNN, …
void append_escaped(std::string& out, std::string_view text);

// As append_escaped, in quotes where the text is empty or has blanks, quotes or '='.
void append_text_value(std::string& out, std::string_view text);

}  // namespace sidecar
