#include "broker/typed_value.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "broker/base64.hpp"

namespace broker {

namespace json = boost::json;

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// Length of the UTF-8 sequence at the front, 0 when it is none: overlong forms, surrogates and what lies
// beyond U+10FFFF are none.
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
    for (std::size_t at = 1; at < length; ++at)
        if ((byte(at) & 0xC0U) != 0x80U) return 0;
    const unsigned char second = byte(1);
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
    if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
    return length;
}

std::string repaired(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        out.append(length == 0 ? replacement : text.substr(0, length));
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

}  // namespace

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string_view value_budget::shortened(std::string_view bytes, std::size_t max_bytes) {
    const std::size_t left = limits_.texts_bytes_max > bytes_ ? limits_.texts_bytes_max - bytes_ : 0;
    const std::size_t length = std::min({bytes.size(), max_bytes, left});
    bytes_ += length;
    if (length == bytes.size()) return bytes;
    cut_ = true;
    return bytes.substr(0, length);
}

json::string value_budget::text(std::string_view bytes) {
    std::string_view part = shortened(bytes, limits_.text_bytes_max);
    const std::size_t missing = bytes.size() - part.size();
    // Not in the middle of a character.
    if (missing != 0)
        for (int back = 0;
             back < 3 && !part.empty() && (static_cast<unsigned char>(bytes[part.size()]) & 0xC0U) == 0x80U;
             ++back)
            part.remove_suffix(1);
    const std::string fixed = is_utf8(part) ? std::string(part) : repaired(part);
    json::string out(fixed);
    if (missing != 0) out.append("… (" + std::to_string(bytes.size() - part.size()) + " bytes more)");
    return out;
}

json::value value_budget::bytes(std::string_view bytes) {
    if (is_utf8(bytes)) return typed("bytes", text(bytes));
    const std::string_view part = shortened(bytes, limits_.text_bytes_max / 4 * 3);
    return typed("base64", json::string(base64_encode(part)));
}

json::value typed(std::string_view type, json::value value) {
    json::object out;
    out.emplace("__type__", json::string(type));
    out.emplace("__value__", std::move(value));
    return out;
}

json::value object_value(json::string name, json::array args) {
    json::object out;
    out.emplace("class", std::move(name));
    out.emplace("args", std::move(args));
    return typed("object", std::move(out));
}

json::value number(double value) {
    if (std::isfinite(value)) return value;
    return typed("float", std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

const json::value* typed_content(const json::value& value, std::string_view& type) {
    const auto* object = value.if_object();
    if (object == nullptr || object->size() != 2) return nullptr;
    const auto* name = object->if_contains("__type__");
    const auto* content = object->if_contains("__value__");
    if (name == nullptr || content == nullptr || !name->is_string()) return nullptr;
    type = std::string_view(name->get_string());
    return content;
}

}  // namespace broker
