#include "broker/yaml_reader.hpp"

#include <yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "broker/base64.hpp"

namespace broker {

namespace json = boost::json;

namespace {

constexpr std::string_view yaml_prefix = "tag:yaml.org,2002:";

struct parser_handle {
    yaml_parser_t parser{};
    bool ready = yaml_parser_initialize(&parser) == 1;
    parser_handle() = default;
    parser_handle(const parser_handle&) = delete;
    parser_handle& operator=(const parser_handle&) = delete;
    ~parser_handle() {
        if (ready) yaml_parser_delete(&parser);
    }
};

struct event_handle {
    yaml_event_t event{};
    event_handle() = default;
    event_handle(const event_handle&) = delete;
    event_handle& operator=(const event_handle&) = delete;
    ~event_handle() { yaml_event_delete(&event); }
};

std::string_view text_of(const yaml_char_t* text) {
    return text == nullptr ? std::string_view{} : std::string_view(reinterpret_cast<const char*>(text));
}

bool any_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, text) != words.end();
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::optional<json::value> whole_number(std::string_view text) {
    std::string digits;
    std::ranges::copy_if(text, std::back_inserter(digits), [](char c) { return c != '_'; });
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) digits.erase(0, 1);
    int base = 10;
    std::size_t skip = 0;
    if (digits.starts_with("0x")) {
        base = 16;
        skip = 2;
    } else if (digits.starts_with("0b")) {
        base = 2;
        skip = 2;
    } else if (digits.size() > 1 && digits.front() == '0') {
        base = 8;
    }
    std::uint64_t value = 0;
    const char* end = digits.data() + digits.size();
    if (digits.empty() || !is_digit(digits.front())) return std::nullopt;
    const auto [stop, error] = std::from_chars(digits.data() + skip, end, value, base);
    if (stop != end) return std::nullopt;
    constexpr std::uint64_t most = INT64_MAX;
    if (error != std::errc{} || (negative && value > most)) {
        if (base != 10) return std::nullopt;
        return typed("int", json::string((negative ? "-" : "") + digits));
    }
    if (value > most) return json::value(value);
    return json::value(negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value));
}

std::optional<json::value> real_number(std::string_view text) {
    if (any_of(text, {".nan", ".NaN", ".NAN"})) return typed("float", "nan");
    if (any_of(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"})) return typed("float", "inf");
    if (any_of(text, {"-.inf", "-.Inf", "-.INF"})) return typed("float", "-inf");
    std::string digits;
    std::ranges::copy_if(text, std::back_inserter(digits), [](char c) { return c != '_'; });
    if (digits.starts_with('+')) digits.erase(0, 1);
    // PyYAML takes an exponent for a number only behind a dot.
    if (digits.find('.') == std::string::npos ||
        digits.find_first_not_of("0123456789.eE+-") != std::string::npos)
        return std::nullopt;
    double value = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return number(value);
}

// 2026-11-22 or 2026-11-22[T ]12:00:00…
std::optional<json::value> timestamp(std::string_view text) {
    if (text.size() < 8 || !std::all_of(text.begin(), text.begin() + 4, is_digit) || text[4] != '-')
        return std::nullopt;
    if (text.find_first_not_of("0123456789-:.TtZz+ ") != std::string_view::npos) return std::nullopt;
    const bool date = text.size() == 10 && text[7] == '-' && is_digit(text[8]) && is_digit(text[9]);
    if (!date && (text.size() < 14 || text.find(':') == std::string_view::npos)) return std::nullopt;
    return typed(date ? "date" : "datetime", json::string(text));
}

class reader {
public:
    explicit reader(const value_limits& limits) : budget_(limits) {}

    decoded_value read(std::string_view text) {
        if (!handle_.ready) return {nullptr, "yaml cannot start", false};
        yaml_parser_set_input_string(&handle_.parser, reinterpret_cast<const unsigned char*>(text.data()),
                                     text.size());
        yaml_parser_set_encoding(&handle_.parser, YAML_UTF8_ENCODING);
        json::value value = document();
        if (!error_.empty()) return {nullptr, std::move(error_), false};
        return {std::move(value), {}, budget_.cut()};
    }

private:
    struct anchored {
        json::value value;
        bool complete = false;
    };

    json::value fail(std::string_view why) {
        if (error_.empty()) error_ = why;
        return nullptr;
    }

    bool next(event_handle& out) {
        if (!error_.empty()) return false;
        if (yaml_parser_parse(&handle_.parser, &out.event) == 1) return true;
        fail("not YAML");
        return false;
    }

    json::value document() {
        json::value value;
        for (bool seen = false;;) {
            event_handle one;
            if (!next(one)) return nullptr;
            switch (one.event.type) {
                case YAML_STREAM_START_EVENT:
                case YAML_DOCUMENT_END_EVENT:
                    break;
                case YAML_DOCUMENT_START_EVENT:
                    if (seen) return fail("more than one document");
                    seen = true;
                    value = node(1);
                    break;
                case YAML_STREAM_END_EVENT:
                    return value;
                default:
                    return fail("not YAML");
            }
        }
    }

    json::value node(std::size_t depth) {
        event_handle one;
        if (!next(one)) return nullptr;
        return from(one.event, depth);
    }

    json::value from(const yaml_event_t& event, std::size_t depth) {
        if (!budget_.take()) return fail("too many values");
        if (depth > budget_.depth_max()) return fail("nested too deeply");
        switch (event.type) {
            case YAML_ALIAS_EVENT:
                return alias(text_of(event.data.alias.anchor));
            case YAML_SCALAR_EVENT:
                return keep(text_of(event.data.scalar.anchor), scalar(event));
            case YAML_SEQUENCE_START_EVENT: {
                const std::string anchor(begin(event.data.sequence_start.anchor));
                return keep(anchor, tagged(text_of(event.data.sequence_start.tag), sequence(depth)));
            }
            case YAML_MAPPING_START_EVENT: {
                const std::string anchor(begin(event.data.mapping_start.anchor));
                return keep(anchor, tagged(text_of(event.data.mapping_start.tag), mapping(depth)));
            }
            default:
                return fail("not YAML");
        }
    }

    // An anchor can be referred to inside its own value: a cycle.
    std::string_view begin(const yaml_char_t* anchor) {
        const auto name = text_of(anchor);
        if (!name.empty()) anchors_[std::string(name)] = {};
        return name;
    }

    json::value keep(std::string_view anchor, json::value value) {
        if (anchor.empty() || !error_.empty()) return value;
        if (!counted(value)) return fail("too many values");
        anchors_[std::string(anchor)] = {value, true};
        return value;
    }

    json::value alias(std::string_view name) {
        const auto found = anchors_.find(std::string(name));
        if (found == anchors_.end()) return fail("an alias without its anchor");
        if (!found->second.complete) return typed("cycle", "...");
        return counted(found->second.value) ? found->second.value : fail("too many values");
    }

    // Takes from the budget what a copy of the value holds.
    bool counted(const json::value& value) {
        if (!budget_.take()) return false;
        if (const auto* text = value.if_string()) return budget_.text(*text).size() >= text->size();
        if (const auto* items = value.if_array())
            return std::ranges::all_of(*items, [&](const auto& item) { return counted(item); });
        if (const auto* members = value.if_object())
            return std::ranges::all_of(*members, [&](const auto& member) { return counted(member.value()); });
        return true;
    }

    json::value sequence(std::size_t depth) {
        json::array out;
        while (error_.empty()) {
            event_handle one;
            if (!next(one)) break;
            if (one.event.type == YAML_SEQUENCE_END_EVENT) return out;
            out.push_back(from(one.event, depth + 1));
        }
        return nullptr;
    }

    json::value mapping(std::size_t depth) {
        json::array pairs;
        bool texts = true;
        while (error_.empty()) {
            event_handle one;
            if (!next(one)) break;
            if (one.event.type == YAML_MAPPING_END_EVENT) return map_value(std::move(pairs), texts);
            json::value key = from(one.event, depth + 1);
            texts = texts && key.is_string();
            pairs.push_back(json::array{std::move(key), node(depth + 1)});
        }
        return nullptr;
    }

    static json::value map_value(json::array pairs, bool texts) {
        if (!texts) return typed("map", std::move(pairs));
        json::object out;
        for (auto& pair : pairs) {
            auto& both = pair.get_array();
            out[std::string_view(both[0].get_string())] = std::move(both[1]);
        }
        return out;
    }

    json::value tagged(std::string_view tag, json::value value) {
        if (tag.empty() || any_of(tag, {"!", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"})) return value;
        if (tag.ends_with(":set")) return typed("set", keys_of(value));
        if (tag.ends_with("python/tuple")) return typed("tuple", std::move(value));
        if (tag.ends_with(":omap") || tag.ends_with(":pairs")) return value;
        return object_value(budget_.text(tag), {std::move(value)});
    }

    static json::value keys_of(const json::value& value) {
        json::array out;
        std::string_view type;
        if (const auto* pairs = typed_content(value, type); pairs != nullptr && pairs->is_array()) {
            for (const auto& pair : pairs->get_array()) out.push_back(pair.get_array()[0]);
        } else if (const auto* members = value.if_object()) {
            for (const auto& member : *members) out.emplace_back(member.key());
        }
        return out;
    }

    json::value scalar(const yaml_event_t& event) {
        const auto& data = event.data.scalar;
        const std::string_view text(reinterpret_cast<const char*>(data.value), data.length);
        std::string_view tag = text_of(data.tag);
        if (tag.starts_with(yaml_prefix)) tag.remove_prefix(yaml_prefix.size());
        if (tag.empty() && data.plain_implicit == 1) return plain(text);
        if (tag == "binary") return binary(text);
        if (any_of(tag, {"int", "float", "bool", "null", "timestamp"})) return plain(text);
        if (tag.empty() || tag == "!" || tag == "str" || tag == "python/unicode" || tag == "python/str")
            return budget_.text(text);
        return object_value(budget_.text(tag), {budget_.text(text)});
    }

    json::value plain(std::string_view text) {
        if (text.empty() || any_of(text, {"~", "null", "Null", "NULL"})) return nullptr;
        if (any_of(text, {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})) return true;
        if (any_of(text, {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})) return false;
        if (const auto value = whole_number(text)) return *value;
        if (const auto value = real_number(text)) return *value;
        if (const auto value = timestamp(text)) return *value;
        return budget_.text(text);
    }

    json::value binary(std::string_view text) {
        const auto bytes = base64_decode(text);
        return bytes ? budget_.bytes(*bytes) : fail("bad base64");
    }

    parser_handle handle_;
    value_budget budget_;
    std::map<std::string, anchored> anchors_;
    std::string error_;
};

}  // namespace

decoded_value read_yaml(std::string_view text, const value_limits& limits) {
    return reader(limits).read(text);
}

}  // namespace broker
