#include "sidecar/net/log_text.hpp"

#include <cstdint>

namespace sidecar {
namespace {

constexpr std::string_view hex = "0123456789abcdef";

unsigned byte_at(std::string_view text, std::size_t i) {
    return static_cast<unsigned char>(text[i]);
}

// Length of the well-formed UTF-8 sequence at the front, 0 if there is none. Overlong forms, surrogates and
// values past U+10FFFF are not well-formed.
std::size_t sequence_length(std::string_view text) {
    const unsigned lead = byte_at(text, 0);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte_at(text, i) & 0xc0U) != 0x80) return 0;
    const unsigned second = byte_at(text, 1);
    const bool bad_second = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                            (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
    return bad_second ? 0 : length;
}

void append_hex(std::string& out, std::string_view prefix, unsigned byte) {
    out += prefix;
    out += hex[byte >> 4U];
    out += hex[byte & 0xfU];
}

char short_escape(unsigned byte) {
    switch (byte) {
        case '\n':
            return 'n';
        case '\r':
            return 'r';
        case '\t':
            return 't';
        case '\\':
            return '\\';
        case '"':
            return '"';
        default:
            return '\0';
    }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const unsigned byte = byte_at(text, 0);
        const std::size_t length = sequence_length(text);
        if (const char escape = short_escape(byte); escape != '\0') {
            out += '\\';
            out += escape;
        } else if (byte < 0x20 || byte == 0x7f) {
            append_hex(out, "\\u00", byte);
        } else if (length == 0) {
            out += "\xef\xbf\xbd";
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out += '"';
}

std::string json_string(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

void append_escaped(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const unsigned byte = byte_at(text, 0);
        const std::size_t length = sequence_length(text);
        if (const char escape = short_escape(byte); escape != '\0') {
            out += '\\';
            out += escape;
        } else if (byte < 0x20 || byte == 0x7f || length == 0) {
            append_hex(out, "\\x", byte);
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
}

void append_text_value(std::string& out, std::string_view text) {
    const bool bare = !text.empty() && text.find_first_of(" \"=") == std::string_view::npos;
    if (!bare) out += '"';
    append_escaped(out, text);
    if (!bare) out += '"';
}

}  // namespace sidecar
