#include "broker/json_reader.hpp"

#include <simdjson.h>

#include <charconv>
#include <optional>

namespace broker {

namespace json = boost::json;
namespace ondemand = simdjson::ondemand;

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

void append_utf8(std::string& out, std::uint32_t code) {
    if (code >= 0xD800 && code < 0xE000) {
        out.append(replacement);
    } else if (code < 0x80) {
        out.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
        out.push_back(static_cast<char>(0xC0U | (code >> 6U)));
        out.push_back(static_cast<char>(0x80U | (code & 0x3FU)));
    } else {
        if (code < 0x10000) {
            out.push_back(static_cast<char>(0xE0U | (code >> 12U)));
        } else {
            out.push_back(static_cast<char>(0xF0U | (code >> 18U)));
            out.push_back(static_cast<char>(0x80U | ((code >> 12U) & 0x3FU)));
        }
        out.push_back(static_cast<char>(0x80U | ((code >> 6U) & 0x3FU)));
        out.push_back(static_cast<char>(0x80U | (code & 0x3FU)));
    }
}

std::optional<std::uint32_t> hex4(std::string_view text) {
    std::uint32_t code = 0;
    if (text.size() < 4) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + 4, code, 16);
    if (error != std::errc{} || end != text.data() + 4) return std::nullopt;
    return code;
}

// One \u escape, both halves of a pair; `text` begins behind "\u".
std::optional<std::uint32_t> take_code(std::string_view& text) {
    const auto high = hex4(text);
    if (!high) return std::nullopt;
    text.remove_prefix(4);
    if (*high < 0xD800 || *high >= 0xDC00 || !text.starts_with("\\u")) return high;
    const auto low = hex4(text.substr(2));
    if (!low || *low < 0xDC00 || *low >= 0xE000) return high;
    text.remove_prefix(6);
    return 0x10000U + ((*high - 0xD800U) << 10U) + (*low - 0xDC00U);
}

// The content of a string that a strict reader refuses for a lone half of a surrogate pair.
std::optional<std::string> unescaped(std::string_view token) {
    std::string out;
    while (!token.empty()) {
        const auto slash = token.find('\\');
        out.append(token.substr(0, slash));
        if (slash == std::string_view::npos) break;
        token.remove_prefix(slash + 1);
        if (token.empty()) return std::nullopt;
        const char kind = token.front();
        token.remove_prefix(1);
        constexpr std::string_view letters = "bfnrt\"\\/";
        constexpr std::string_view meanings = "\b\f\n\r\t\"\\/";
        if (kind == 'u') {
            const auto code = take_code(token);
            if (!code) return std::nullopt;
            append_utf8(out, *code);
        } else if (const auto at = letters.find(kind); at != std::string_view::npos) {
            out.push_back(meanings[at]);
        } else {
            return std::nullopt;
        }
    }
    return out;
}

std::string_view trimmed(std::string_view token) {
    const auto end = token.find_last_not_of(" \t\r\n");
    return end == std::string_view::npos ? std::string_view{} : token.substr(0, end + 1);
}

class reader {
public:
    explicit reader(const value_limits& limits) : budget_(limits) {}

    // Read as the only item of an array, since simdjson treats a scalar alone as a case of its own.
    decoded_value read(std::string_view text) {
        std::string wrapped;
        wrapped.reserve(text.size() + 2 + simdjson::SIMDJSON_PADDING);
        wrapped.append("[").append(text).append("]");
        ondemand::parser parser;
        ondemand::document document;
        json::value value;
        if (parser.iterate(wrapped).get(document) == simdjson::SUCCESS)
            value = only_item(document);
        else
            fail("not JSON");
        if (!error_.empty()) return {nullptr, std::move(error_), false};
        return {std::move(value), {}, budget_.cut()};
    }

private:
    json::value fail(std::string_view why) {
        if (error_.empty()) error_ = why;
        return nullptr;
    }

    json::value only_item(ondemand::document& document) {
        ondemand::array items;
        json::value value;
        std::size_t count = 0;
        if (document.get_array().get(items) != simdjson::SUCCESS) return fail("not JSON");
        for (auto item : items) {
            if (item.error() != simdjson::SUCCESS || ++count > 1) return fail("not JSON");
            value = from(item.value_unsafe(), 1);
            if (!error_.empty()) return nullptr;
        }
        // Behind the last bracket there is no place to be.
        const bool all = document.current_location().error() == simdjson::OUT_OF_BOUNDS;
        return count == 1 && all ? value : fail("not JSON");
    }

    json::value from(ondemand::value value, std::size_t depth) {
        if (!budget_.take()) return fail("too many values");
        if (depth > budget_.depth_max()) return fail("nested too deeply");
        ondemand::json_type type{};
        if (value.type().get(type) != simdjson::SUCCESS) return from_word(trimmed(value.raw_json_token()));
        switch (type) {
            case ondemand::json_type::array:
                return from_array(value, depth);
            case ondemand::json_type::object:
                return from_object(value, depth);
            case ondemand::json_type::string:
                return from_string(value);
            case ondemand::json_type::number:
                return from_number(value);
            case ondemand::json_type::boolean:
                return from_boolean(value);
            case ondemand::json_type::null:
                return from_null(value);
        }
        return fail("not JSON");
    }

    json::value from_word(std::string_view token) {
        if (token == "NaN") return typed("float", "nan");
        if (token == "Infinity") return typed("float", "inf");
        return fail("not JSON");
    }

    json::value from_null(ondemand::value value) {
        bool null = false;
        if (value.is_null().get(null) != simdjson::SUCCESS || !null) return fail("not JSON");
        return nullptr;
    }

    json::value from_boolean(ondemand::value value) {
        bool flag = false;
        return value.get_bool().get(flag) == simdjson::SUCCESS ? json::value(flag) : fail("not JSON");
    }

    json::value from_string(ondemand::value value) {
        const std::string_view token = trimmed(value.raw_json_token());
        std::string_view text;
        if (value.get_string().get(text) == simdjson::SUCCESS) return budget_.text(text);
        if (token.size() < 2 || token.back() != '"') return fail("not JSON");
        const auto fixed = unescaped(token.substr(1, token.size() - 2));
        return fixed ? json::value(budget_.text(*fixed)) : fail("not JSON");
    }

    json::value from_number(ondemand::value value) {
        const std::string_view token = trimmed(value.raw_json_token());
        std::int64_t whole = 0;
        std::uint64_t large = 0;
        double real = 0;
        if (value.get_int64().get(whole) == simdjson::SUCCESS) return whole;
        if (value.get_uint64().get(large) == simdjson::SUCCESS) return large;
        const bool digits = token.find_first_not_of("-0123456789") == std::string_view::npos;
        if (digits && token.size() > 18) return typed("int", budget_.text(token));
        if (token == "-Infinity") return typed("float", "-inf");
        if (value.get_double().get(real) == simdjson::SUCCESS) return number(real);
        const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), real);
        if (error == std::errc::result_out_of_range && end == token.data() + token.size())
            return typed("float", token.front() == '-' ? "-inf" : "inf");
        return fail("not JSON");
    }

    json::value from_array(ondemand::value value, std::size_t depth) {
        ondemand::array items;
        if (value.get_array().get(items) != simdjson::SUCCESS) return fail("not JSON");
        json::array out;
        for (auto item : items) {
            if (item.error() != simdjson::SUCCESS) return fail("not JSON");
            out.push_back(from(item.value_unsafe(), depth + 1));
            if (!error_.empty()) return nullptr;
        }
        return out;
    }

    json::value from_object(ondemand::value value, std::size_t depth) {
        ondemand::object members;
        if (value.get_object().get(members) != simdjson::SUCCESS) return fail("not JSON");
        json::object out;
        for (auto field : members) {
            if (field.error() != simdjson::SUCCESS) return fail("not JSON");
            std::string_view name;
            std::string fixed;
            ondemand::field one = field.value_unsafe();
            const std::string_view raw = key_token(one);
            if (one.unescaped_key().get(name) != simdjson::SUCCESS) {
                auto text = unescaped(raw);
                if (!text) return fail("not JSON");
                fixed = std::move(*text);
                name = fixed;
            }
            const json::string key = budget_.text(name);
            out[std::string_view(key)] = from(one.value(), depth + 1);
            if (!error_.empty()) return nullptr;
        }
        return out;
    }

    // The key between its quotes, which simdjson marks at the begin only.
    static std::string_view key_token(ondemand::field& field) {
        const char* begin = field.key().raw();
        const char* end = begin;
        while (*end != '"' && *end != '\0') end += *end == '\\' && end[1] != '\0' ? 2 : 1;
        return {begin, static_cast<std::size_t>(end - begin)};
    }

    value_budget budget_;
    std::string error_;
};

}  // namespace

decoded_value read_json(std::string_view text, const value_limits& limits) {
    return reader(limits).read(text);
}

}  // namespace broker
