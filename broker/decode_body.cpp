// The body of a message: base64, compression, serializer. The opening half of decode.hpp.
#include <algorithm>
#include <optional>

#include "broker/base64.hpp"
#include "broker/decode.hpp"
#include "broker/decompress.hpp"
#include "broker/json_reader.hpp"
#include "broker/msgpack_reader.hpp"
#include "broker/pickle_reader.hpp"
#include "broker/yaml_reader.hpp"

namespace broker {

namespace json = boost::json;

namespace {

decoded_body refused(std::string why) {
    return {{nullptr, std::move(why), false}, 0, 0};
}

// What stands between the quotes of a JSON string. Bodies in base64 have nothing to unescape.
std::optional<std::string> json_string(std::string_view raw) {
    if (raw.find('\\') == std::string_view::npos) return std::string(raw);
    const value_limits whole{1, 4, raw.size(), raw.size()};
    auto read = read_json("\"" + std::string(raw) + "\"", whole);
    const auto* text = read.value.if_string();
    if (!read.ok() || text == nullptr) return std::nullopt;
    return std::string(*text);
}

decoded_value text_value(std::string_view bytes, const value_limits& limits) {
    value_budget budget(limits);
    json::value value = budget.text(bytes);
    return {std::move(value), {}, budget.cut()};
}

decoded_value bytes_value(std::string_view bytes, const value_limits& limits) {
    value_budget budget(limits);
    json::value value = budget.bytes(bytes);
    return {std::move(value), {}, budget.cut()};
}

}  // namespace

decoded_value read_content(std::string_view bytes, std::string_view content_type,
                           std::string_view content_encoding, const value_limits& limits) {
    if (content_type == "application/json" || content_type.ends_with("+json"))
        return read_json(bytes, limits);
    if (content_type == "application/x-python-serialize" || content_type == "application/x-python")
        return read_pickle(bytes, limits);
    if (content_type == "application/x-msgpack" || content_type == "application/msgpack")
        return read_msgpack(bytes, limits);
    if (content_type == "application/x-yaml" || content_type == "application/yaml")
        return read_yaml(bytes, limits);
    if (content_type.starts_with("text/")) return text_value(bytes, limits);
    if (content_type == "application/data")
        return content_encoding == "binary" ? bytes_value(bytes, limits) : text_value(bytes, limits);
    return {nullptr, "unknown content type " + std::string(content_type.substr(0, 100)), false};
}

decoded_body decode_body(std::string_view raw, const body_description& how, const decode_limits& limits) {
    auto text = json_string(raw);
    if (!text) return refused("the body is not a JSON string");
    if (how.encoding == "base64") {
        text = base64_decode(*text);
        if (!text) return refused("the body is not base64");
    } else if (!how.encoding.empty() && how.encoding != "utf-8" && how.encoding != "None") {
        return refused("unknown body encoding " + std::string(how.encoding.substr(0, 100)));
    }
    decoded_body out;
    out.body_bytes = text->size();
    const auto plain = decompress(compression_of(how.compression), *text, limits.body_bytes_max);
    if (!plain.ok()) {
        out.content.error = plain.error;
        return out;
    }
    out.plain_bytes = plain.bytes.size();
    out.content = read_content(plain.bytes, how.content_type, how.content_encoding, limits.values);
    return out;
}

}  // namespace broker
