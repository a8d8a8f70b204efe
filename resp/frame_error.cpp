#include "resp/frame_error.hpp"

namespace resp {

std::string describe(frame_error error, char found) {
    const std::string prefix = "ERR Protocol error: ";
    switch (error) {
        case frame_error::inline_too_big:
            return prefix + "too big inline request";
        case frame_error::multibulk_header_too_big:
            return prefix + "too big mbulk count string";
        case frame_error::bulk_header_too_big:
            return prefix + "too big bulk count string";
        case frame_error::bad_multibulk_length:
            return prefix + "invalid multibulk length";
        case frame_error::stranger_multibulk_length:
            return prefix + "unauthenticated multibulk length";
        case frame_error::bad_bulk_length:
            return prefix + "invalid bulk length";
        case frame_error::stranger_bulk_length:
            return prefix + "unauthenticated bulk length";
        case frame_error::expected_dollar: {
            // A line break inside an error reply would break the frame; Redis replaces it as well.
            const char shown = (found == '\r' || found == '\n') ? ' ' : found;
            return prefix + "expected '$', got '" + shown + "'";
        }
        case frame_error::unbalanced_quotes:
            return prefix + "unbalanced quotes in request";
        case frame_error::query_too_big:
        case frame_error::none:
            break;
    }
    return {};
}

}  // namespace resp
