#include "broker/base64.hpp"

#include <array>
#include <cstdint>

namespace broker {

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t foreign = 0xFF;
constexpr std::uint8_t blank = 0xFE;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    for (auto& value : values) value = foreign;
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    values['-'] = 62;
    values['_'] = 63;
    for (const char space : {' ', '\n', '\r', '\t'}) values[static_cast<unsigned char>(space)] = blank;
    return values;
}
constexpr auto values = make_values();

std::uint8_t value_of(char c) {
    return values[static_cast<unsigned char>(c)];
}

// Groups of four without blanks: nearly all of every message. Answers how many characters it read.
std::size_t decode_groups(std::string_view text, std::string& out) {
    std::size_t at = 0;
    std::size_t written = 0;
    out.resize(text.size() / 4 * 3);
    for (; at + 4 <= text.size(); at += 4) {
        const std::uint32_t a = value_of(text[at]);
        const std::uint32_t b = value_of(text[at + 1]);
        const std::uint32_t c = value_of(text[at + 2]);
        const std::uint32_t d = value_of(text[at + 3]);
        if ((a | b | c | d) > 63) break;
        const std::uint32_t bits = (a << 18U) | (b << 12U) | (c << 6U) | d;
        out[written++] = static_cast<char>(bits >> 16U);
        out[written++] = static_cast<char>(bits >> 8U);
        out[written++] = static_cast<char>(bits);
    }
    out.resize(written);
    return at;
}

bool only_padding(std::string_view text) {
    return text.find_first_not_of("= \n\r\t") == std::string_view::npos;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const auto byte = [&](std::size_t i) -> std::uint32_t {
            return at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U;
        };
        const std::uint32_t bits = (byte(0) << 16U) | (byte(1) << 8U) | byte(2);
        const std::size_t characters = std::min<std::size_t>(bytes.size() - at, 3) + 1;
        for (std::size_t i = 0; i < 4; ++i)
            out.push_back(i < characters ? alphabet[(bits >> (18U - 6U * i)) & 63U] : '=');
    }
    return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
    std::string out;
    std::size_t at = decode_groups(text, out);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (; at < text.size(); ++at) {
        if (text[at] == '=') break;
        const std::uint8_t value = value_of(text[at]);
        if (value == blank) continue;
        if (value == foreign) return std::nullopt;
        bits = (bits << 6U) | value;
        if (++held == 4) {
            for (const unsigned shift : {16U, 8U, 0U}) out.push_back(static_cast<char>(bits >> shift));
            bits = 0;
            held = 0;
        }
    }
    if (held == 1 || !only_padding(text.substr(at))) return std::nullopt;
    if (held == 2) out.push_back(static_cast<char>(bits >> 4U));
    if (held == 3) {
        out.push_back(static_cast<char>(bits >> 10U));
        out.push_back(static_cast<char>(bits >> 2U));
    }
    return out;
}

}  // namespace broker
