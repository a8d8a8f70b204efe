// Values in Python's spelling: the rendering half of typed_value.hpp.
#include <charconv>
#include <cmath>
#include <string>

#include "broker/typed_value.hpp"

namespace broker {

namespace json = boost::json;

namespace {

constexpr std::size_t depth_max = 64;

class printer {
public:
    explicit printer(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    void print(const json::value& value, std::size_t depth) {
        if (full() || depth > depth_max) return add("…");
        std::string_view type;
        if (const json::value* content = typed_content(value, type))
            return print_typed(type, *content, depth);
        switch (value.kind()) {
            case json::kind::null:
                return add("None");
            case json::kind::bool_:
                return add(value.get_bool() ? "True" : "False");
            case json::kind::int64:
                return add(std::to_string(value.get_int64()));
            case json::kind::uint64:
                return add(std::to_string(value.get_uint64()));
            case json::kind::double_:
                return print_double(value.get_double());
            case json::kind::string:
                return print_text(std::string_view(value.get_string()));
            case json::kind::array:
                return print_items(value.get_array(), "[", "]", depth);
            case json::kind::object:
                return print_members(value.get_object(), depth);
        }
    }

    [[nodiscard]] std::string result() && {
        if (full()) {
            out_.resize(bytes_max_);
            while (!out_.empty() && !is_utf8(out_)) out_.pop_back();
            out_.append("…");
        }
        return std::move(out_);
    }

private:
    [[nodiscard]] bool full() const { return out_.size() > bytes_max_; }
    void add(std::string_view text) { out_.append(text.substr(0, bytes_max_ + 8)); }

    void print_double(double value) {
        char buffer[32];
        const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
        const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
        add(text);
        if (text.find_first_not_of("-0123456789") == std::string_view::npos) add(".0");
    }

    void print_text(std::string_view text) {
        const bool single =
            text.find('\'') == std::string_view::npos || text.find('"') != std::string_view::npos;
        const char quote = single ? '\'' : '"';
        out_.push_back(quote);
        for (const char c : text) {
            if (full()) return;
            print_char(c, quote);
        }
        out_.push_back(quote);
    }

    void print_char(char c, char quote) {
        constexpr std::string_view digits = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        if (c == quote || c == '\\') {
            out_.push_back('\\');
            out_.push_back(c);
        } else if (c == '\n') {
            add("\\n");
        } else if (c == '\r') {
            add("\\r");
        } else if (c == '\t') {
            add("\\t");
        } else if (byte < 0x20 || byte == 0x7F) {
            add("\\x");
            out_.push_back(digits[byte >> 4U]);
            out_.push_back(digits[byte & 15U]);
        } else {
            out_.push_back(c);
        }
    }

    void print_items(const json::array& items, std::string_view open, std::string_view close,
                     std::size_t depth) {
        add(open);
        bool first = true;
        for (const auto& item : items) {
            if (full()) return;
            if (!first) add(", ");
            first = false;
            print(item, depth + 1);
        }
        add(close);
    }

    void print_pair(const json::value& key, const json::value& value, bool first, std::size_t depth) {
        if (!first) add(", ");
        print(key, depth + 1);
        add(": ");
        print(value, depth + 1);
    }

    void print_members(const json::object& members, std::size_t depth) {
        add("{");
        bool first = true;
        for (const auto& member : members) {
            if (full()) return;
            if (!first) add(", ");
            print_text(std::string_view(member.key()));
            add(": ");
            print(member.value(), depth + 1);
            first = false;
        }
        add("}");
    }

    void print_map(const json::array& pairs, std::size_t depth) {
        add("{");
        bool first = true;
        for (const auto& pair : pairs) {
            const auto* both = pair.if_array();
            if (full() || both == nullptr || both->size() != 2) break;
            print_pair((*both)[0], (*both)[1], first, depth);
            first = false;
        }
        add("}");
    }

    // module.name(args…), with what would have been given to the object afterwards behind it.
    void print_object(const json::object& object, std::size_t depth) {
        const auto* name = object.if_contains("class");
        const auto* args = object.if_contains("args");
        if (name != nullptr && name->is_string()) add(std::string_view(name->get_string()));
        if (args != nullptr && args->is_array()) print_items(args->get_array(), "(", ")", depth);
        for (const std::string_view more : {"state", "items"})
            if (const auto* value = object.if_contains(more)) {
                add(" ");
                print(*value, depth + 1);
            }
    }

    void print_typed(std::string_view type, const json::value& content, std::size_t depth) {
        const auto* items = content.if_array();
        const auto* text = content.if_string();
        if (items != nullptr && type == "tuple")
            return print_items(*items, "(", items->size() == 1 ? ",)" : ")", depth);
        if (items != nullptr && type == "map") return print_map(*items, depth);
        if (items != nullptr && type == "set" && !items->empty()) return print_items(*items, "{", "}", depth);
        if (type == "object" && content.is_object()) return print_object(content.get_object(), depth);
        const bool bare = type == "int" || type == "float" || type == "cycle";
        if (text != nullptr && bare) return add(std::string_view(*text));
        if (text != nullptr && type == "bytes") {
            add("b");
            return print_text(std::string_view(*text));
        }
        add(type);
        add("(");
        print(content, depth + 1);
        add(")");
    }

    std::size_t bytes_max_;
    std::string out_;
};

}  // namespace

std::string python_repr(const json::value& value, std::size_t bytes_max) {
    printer one(bytes_max);
    one.print(value, 0);
    return std::move(one).result();
}

}  // namespace broker
