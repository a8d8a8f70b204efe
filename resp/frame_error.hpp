#pragma once
#include <cstdint>
#include <string>

namespace resp {

// What is wrong with bytes a client sent. Each is fatal for that client: framing is lost.
enum class frame_error : std::uint8_t {
    none,
    inline_too_big,
    multibulk_header_too_big,
    bulk_header_too_big,
    bad_multibulk_length,
    stranger_multibulk_length,  // more arguments than an unauthenticated client may send
    bad_bulk_length,
    stranger_bulk_length,
    expected_dollar,
    unbalanced_quotes,
    query_too_big,  // closes without a reply, as Redis does
};

// Redis's own words, without the leading '-' and CRLF; `found` is the byte that stood in place of '$'. Empty
// for query_too_big and none.
[[nodiscard]] std::string describe(frame_error error, char found = '\0');

}  // namespace resp
