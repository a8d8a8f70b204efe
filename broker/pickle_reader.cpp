#include "broker/pickle_reader.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

#include "broker/pickle_machine.hpp"

namespace broker {

namespace json = boost::json;
using pickle::kind;
using pickle::no_node;
using pickle::node;
using pickle::node_id;

namespace {

// Longer integers are shown in hexadecimal, since turning them into digits takes the square of their length.
constexpr std::size_t decimal_bytes_max = 512;

// Digits of an integer that is written in two's complement, little-endian.
std::string digits_of(std::string_view bytes) {
    std::vector<std::uint8_t> magnitude(bytes.begin(), bytes.end());
    const bool negative = !magnitude.empty() && (magnitude.back() & 0x80U) != 0;
    if (negative) {
        unsigned carry = 1;
        for (auto& byte : magnitude) {
            const unsigned sum = static_cast<std::uint8_t>(~byte) + carry;
            byte = static_cast<std::uint8_t>(sum);
            carry = sum >> 8U;
        }
    }
    while (!magnitude.empty() && magnitude.back() == 0) magnitude.pop_back();
    std::string digits;
    const unsigned base = magnitude.size() > decimal_bytes_max ? 16 : 10;
    if (base == 16) {
        constexpr std::string_view letters = "0123456789abcdef";
        for (const auto byte : magnitude) {
            digits.push_back(letters[byte & 15U]);
            digits.push_back(letters[byte >> 4U]);
        }
        digits.append("x0");
    }
    while (base == 10 && !magnitude.empty()) {
        unsigned rest = 0;
        for (std::size_t i = magnitude.size(); i-- > 0;) {
            const unsigned part = (rest << 8U) | magnitude[i];
            magnitude[i] = static_cast<std::uint8_t>(part / 10);
            rest = part % 10;
        }
        while (!magnitude.empty() && magnitude.back() == 0) magnitude.pop_back();
        digits.push_back(static_cast<char>('0' + rest));
    }
    if (digits.empty()) digits = "0";
    if (negative) digits.push_back('-');
    return {digits.rbegin(), digits.rend()};
}

std::optional<std::uint64_t> as_unsigned(std::string_view bytes) {
    if (bytes.size() != 9 || bytes.back() != '\0') return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) value = (value << 8U) | static_cast<unsigned char>(bytes[i]);
    return value;
}

unsigned byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
}

template <class... Parts>
std::string formatted(const char* format, Parts... parts) {
    char buffer[64];
    const int length = std::snprintf(buffer, sizeof buffer, format, parts...);
    return {buffer, std::min(sizeof buffer - 1, static_cast<std::size_t>(std::max(length, 0)))};
}

std::string clock_text(std::string_view bytes) {
    const unsigned us = (byte_at(bytes, 3) << 16U) | (byte_at(bytes, 4) << 8U) | byte_at(bytes, 5);
    std::string out =
        formatted("%02u:%02u:%02u", byte_at(bytes, 0) & 0x7FU, byte_at(bytes, 1), byte_at(bytes, 2));
    if (us != 0) out += formatted(".%06u", us);
    return out;
}

std::string date_text(std::string_view bytes) {
    return formatted("%04u-%02u-%02u", (byte_at(bytes, 0) << 8U) | byte_at(bytes, 1),
                     byte_at(bytes, 2) & 0x7FU, byte_at(bytes, 3));
}

std::string offset_text(std::int64_t seconds) {
    const std::int64_t size = seconds < 0 ? -seconds : seconds;
    std::string out = formatted("%c%02d:%02d", seconds < 0 ? '-' : '+', static_cast<int>(size / 3600 % 100),
                                static_cast<int>(size / 60 % 60));
    if (size % 60 != 0) out += formatted(":%02d", static_cast<int>(size % 60));
    return out;
}

class shower {
public:
    shower(const pickle::machine& nodes, const value_limits& limits) : nodes_(nodes), budget_(limits) {}

    decoded_value show(node_id root) {
        json::value value = from(root, 1);
        if (!error_.empty()) return {nullptr, std::move(error_), false};
        return {std::move(value), {}, budget_.cut()};
    }

private:
    json::value fail(std::string_view why) {
        if (error_.empty()) error_ = why;
        return nullptr;
    }

    [[nodiscard]] const node* get(node_id id) const { return id == no_node ? nullptr : &nodes_.at(id); }

    [[nodiscard]] bool is_open(node_id id) const {
        for (const node_id each : open_)
            if (each == id) return true;
        return false;
    }

    json::value from(node_id id, std::size_t depth) {
        if (!budget_.take()) return fail("too many values");
        if (depth > budget_.depth_max()) return fail("nested too deeply");
        if (id == no_node) return fail("not a pickle");
        if (is_open(id)) return typed("cycle", "...");
        open_.push_back(id);
        json::value value = from(nodes_.at(id), depth);
        open_.pop_back();
        return value;
    }

    json::value from(const node& one, std::size_t depth) {
        switch (one.is) {
            case kind::none:
                return nullptr;
            case kind::boolean:
                return one.integer != 0;
            case kind::integer:
                return one.integer;
            case kind::big_integer:
                return big_integer(one);
            case kind::real:
                return number(one.real);
            case kind::text:
                return budget_.text(one.text);
            case kind::bytes:
                return budget_.bytes(one.text);
            case kind::list:
                return items(one.items, depth);
            // The outermost tuple is the body of a task, and its args are one: lists to everybody.
            case kind::tuple:
                return depth <= 2 ? items(one.items, depth) : typed("tuple", items(one.items, depth));
            case kind::dict:
                return pairs(one.items, depth);
            case kind::set:
                return typed("set", items(one.items, depth));
            case kind::frozen_set:
                return typed("frozenset", items(one.items, depth));
            case kind::name:
                return object_value(budget_.text(one.text), {});
            case kind::call:
                return call(one, depth);
            case kind::persistent:
                return object_value("persistent", persistent_args(one, depth));
        }
        return nullptr;
    }

    json::value big_integer(const node& one) {
        if (one.integer == 1) return typed("int", budget_.text(one.text));
        if (const auto value = as_unsigned(one.text); value && *value > static_cast<std::uint64_t>(INT64_MAX))
            return *value;
        return typed("int", budget_.text(digits_of(one.text.substr(0, 65536))));
    }

    json::array items(const std::vector<node_id>& ids, std::size_t depth) {
        json::array out;
        for (const node_id id : ids) {
            out.push_back(from(id, depth + 1));
            if (!error_.empty()) break;
        }
        return out;
    }

    json::value pairs(const std::vector<node_id>& ids, std::size_t depth) {
        bool texts = true;
        for (std::size_t i = 0; i + 1 < ids.size(); i += 2)
            texts = texts && nodes_.at(ids[i]).is == kind::text;
        json::object members;
        json::array list;
        for (std::size_t i = 0; i + 1 < ids.size() && error_.empty(); i += 2) {
            json::value value = from(ids[i + 1], depth + 1);
            if (texts)
                members[std::string_view(budget_.text(nodes_.at(ids[i]).text))] = std::move(value);
            else
                list.push_back(json::array{from(ids[i], depth + 1), std::move(value)});
        }
        return texts ? json::value(std::move(members)) : typed("map", std::move(list));
    }

    json::array persistent_args(const node& one, std::size_t depth) {
        json::array out;
        if (one.args != no_node)
            out.push_back(from(one.args, depth + 1));
        else
            out.emplace_back(budget_.text(one.text));
        return out;
    }

    // The n-th argument of a call.
    [[nodiscard]] const node* argument(const node& call, std::size_t at) const {
        const node* args = get(call.args);
        if (args == nullptr || args->is != kind::tuple || at >= args->items.size()) return nullptr;
        return get(args->items[at]);
    }

    [[nodiscard]] std::string_view name_of(const node& call) const {
        const node* callee = get(call.callee);
        return callee != nullptr && callee->is == kind::name ? callee->text : std::string_view{};
    }

    json::value call(const node& one, std::size_t depth) {
        const std::string_view name = name_of(one);
        if (auto known = known_call(one, name, depth)) return std::move(*known);
        json::object out;
        if (name.empty())
            out.emplace("class", from(one.callee, depth + 1));
        else
            out.emplace("class", budget_.text(name));
        const node* args = get(one.args);
        if (args != nullptr && args->is == kind::tuple)
            out.emplace("args", items(args->items, depth));
        else if (args != nullptr)
            out.emplace("args", json::array{from(one.args, depth + 1)});
        if (one.kwargs != no_node) out.emplace("kwargs", from(one.kwargs, depth + 1));
        if (one.state != no_node) out.emplace("state", from(one.state, depth + 1));
        if (!one.items.empty()) out.emplace("items", extra_items(one, depth));
        return typed("object", std::move(out));
    }

    json::value extra_items(const node& one, std::size_t depth) {
        if (one.integer == 1) return pairs(one.items, depth);
        return items(one.items, depth);
    }

    std::optional<json::value> known_call(const node& one, std::string_view name, std::size_t depth) {
        if (name == "datetime.datetime" || name == "datetime.date" || name == "datetime.time")
            return time(one, name);
        if (name == "datetime.timedelta") {
            if (const auto seconds = timedelta_s(one)) return typed("timedelta", *seconds);
        } else if (name == "decimal.Decimal") {
            if (const node* text = argument(one, 0); text != nullptr && text->is == kind::text)
                return typed("decimal", budget_.text(text->text));
        } else if (name == "uuid.UUID") {
            return uuid(one);
        } else if (name == "collections.OrderedDict" && one.state == no_node) {
            const node* given = argument(one, 0);
            if (given == nullptr) return pairs(one.items, depth);
        } else if (name == "builtins.set" || name == "__builtin__.set" || name == "builtins.frozenset" ||
                   name == "__builtin__.frozenset") {
            const node* list = argument(one, 0);
            if (list != nullptr && list->is == kind::list)
                return typed(name.ends_with("frozenset") ? "frozenset" : "set", items(list->items, depth));
        } else if (name == "_codecs.encode") {
            return encoded(one);
        } else if (name == "builtins.bytearray" || name == "__builtin__.bytearray") {
            if (const node* data = argument(one, 0); data != nullptr && data->is == kind::bytes)
                return budget_.bytes(data->text);
        }
        return std::nullopt;
    }

    // How protocols below 3 write bytes: a text of characters up to U+00FF.
    std::optional<json::value> encoded(const node& one) {
        const node* text = argument(one, 0);
        const node* how = argument(one, 1);
        if (text == nullptr || how == nullptr || text->is != kind::text) return std::nullopt;
        if (how->text != "latin1" && how->text != "latin-1") return std::nullopt;
        return budget_.bytes(latin_bytes(one));
    }

    [[nodiscard]] std::optional<std::int64_t> timedelta_s(const node& one) const {
        const node* days = argument(one, 0);
        const node* seconds = argument(one, 1);
        if (days == nullptr || seconds == nullptr || days->is != kind::integer ||
            seconds->is != kind::integer)
            return std::nullopt;
        constexpr std::int64_t days_max = 999'999'999;
        if (days->integer > days_max || days->integer < -days_max || seconds->integer > 86'400 ||
            seconds->integer < 0)
            return std::nullopt;
        const node* us = argument(one, 2);
        if (us != nullptr && us->integer != 0) return std::nullopt;
        return days->integer * 86'400 + seconds->integer;
    }

    [[nodiscard]] std::string zone_text(const node* zone) const {
        if (zone == nullptr) return {};
        if (zone->is == kind::name && zone->text.ends_with(".utc")) return "+00:00";
        const node* first = argument(*zone, 0);
        const std::string_view name = name_of(*zone);
        if (name == "datetime.timezone" && first != nullptr)
            if (const auto seconds = timedelta_s(*first)) return offset_text(*seconds);
        if (name.ends_with("UTC") || name.ends_with("_UTC")) return "+00:00";
        return {};
    }

    std::optional<json::value> time(const node& one, std::string_view name) {
        const node* packed = argument(one, 0);
        if (packed == nullptr) return std::nullopt;
        std::string latin;
        std::string_view bytes = packed->text;
        if (packed->is == kind::call) {
            latin = latin_bytes(*packed);
            bytes = latin;
        }
        const node* zone = argument(one, 1);
        const std::string offset = zone_text(zone);
        // A zone by name stays visible as an object.
        if (zone != nullptr && offset.empty()) return std::nullopt;
        if (name == "datetime.date" && bytes.size() == 4)
            return typed("date", json::string(date_text(bytes)));
        if (name == "datetime.time" && bytes.size() == 6)
            return typed("time", json::string(clock_text(bytes) + offset));
        if (name == "datetime.datetime" && bytes.size() == 10)
            return typed("datetime",
                         json::string(date_text(bytes) + "T" + clock_text(bytes.substr(4)) + offset));
        return std::nullopt;
    }

    [[nodiscard]] std::string latin_bytes(const node& call) const {
        const node* text = argument(call, 0);
        if (name_of(call) != "_codecs.encode" || text == nullptr) return {};
        std::string bytes;
        for (std::size_t i = 0; i < text->text.size(); ++i) {
            const unsigned first = byte_at(text->text, i);
            const bool pair = (first == 0xC2 || first == 0xC3) && i + 1 < text->text.size();
            if (pair) ++i;
            bytes.push_back(pair ? static_cast<char>(((first & 3U) << 6U) | (byte_at(text->text, i) & 0x3FU))
                                 : static_cast<char>(first));
        }
        return bytes;
    }

    std::optional<json::value> uuid(const node& one) {
        const node* state = get(one.state);
        if (state == nullptr || state->is != kind::dict || state->items.size() < 2) return std::nullopt;
        const node* number_node = get(state->items[1]);
        if (number_node == nullptr || nodes_.at(state->items[0]).text != "int") return std::nullopt;
        std::string bytes(16, '\0');
        if (number_node->is == kind::integer) {
            for (std::size_t i = 0; i < 8; ++i)
                bytes[i] = static_cast<char>(static_cast<std::uint64_t>(number_node->integer) >> (8 * i));
        } else if (number_node->is == kind::big_integer && number_node->text.size() <= 17) {
            const auto part = number_node->text.substr(0, 16);
            bytes.replace(0, part.size(), part);
        } else {
            return std::nullopt;
        }
        std::string text;
        for (std::size_t i = 16; i-- > 0;) {
            text += formatted("%02x", byte_at(bytes, i));
            if (i == 12 || i == 10 || i == 8 || i == 6) text.push_back('-');
        }
        json::object content;
        content.emplace("hex", text);
        return typed("uuid", std::move(content));
    }

    const pickle::machine& nodes_;
    value_budget budget_;
    std::vector<node_id> open_;
    std::string error_;
};

}  // namespace

decoded_value read_pickle(std::string_view bytes, const value_limits& limits) {
    pickle::machine machine(bytes, limits.nodes_max);
    const node_id root = machine.run();
    if (root == no_node || !machine.error().empty())
        return {nullptr, machine.error().empty() ? "not a pickle" : machine.error(), false};
    return shower(machine, limits).show(root);
}

}  // namespace broker
