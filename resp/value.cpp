#include "resp/value.hpp"

#include "resp/limits.hpp"
#include "resp/number.hpp"

namespace resp {

namespace {

class value_reader {
public:
    explicit value_reader(std::string_view bytes) : bytes_(bytes) {}

    std::optional<value> read(int depth) {
        if (depth > reply_depth_max) return std::nullopt;
        const auto line = read_line();
        if (!line || line->empty()) return std::nullopt;
        const char type = line->front();
        const std::string_view rest = line->substr(1);
        switch (type) {
            case '+':
                return text(kind::simple, rest);
            case '-':
                return text(kind::error, rest);
            case ',':
                return text(kind::real, rest);
            case '(':
                return text(kind::big_number, rest);
            case '_':
                return value{};
            case '#':
                return number(kind::boolean, rest == "t" ? 1 : 0);
            case ':':
                return integer(rest);
            case '$':
                return bulk(kind::bulk, rest);
            case '!':
                return bulk(kind::error, rest);
            case '=':
                return bulk(kind::verbatim, rest);
            case '*':
                return aggregate(kind::array, rest, 1, depth);
            case '~':
                return aggregate(kind::set, rest, 1, depth);
            case '>':
                return aggregate(kind::push, rest, 1, depth);
            case '%':
                return aggregate(kind::map, rest, 2, depth);
            case '|': {
                if (!aggregate(kind::map, rest, 2, depth)) return std::nullopt;
                return read(depth + 1);
            }
            default:
                return std::nullopt;
        }
    }

    [[nodiscard]] std::size_t used() const { return at_; }

private:
    std::optional<std::string_view> read_line() {
        const std::size_t end = bytes_.find("\r\n", at_);
        if (end == std::string_view::npos) return std::nullopt;
        const auto line = bytes_.substr(at_, end - at_);
        at_ = end + 2;
        return line;
    }

    static value text(kind type, std::string_view content) {
        value v;
        v.type = type;
        v.text = content;
        return v;
    }

    static value number(kind type, std::int64_t content) {
        value v;
        v.type = type;
        v.integer = content;
        return v;
    }

    static std::optional<value> integer(std::string_view content) {
        const auto parsed = parse_number(content);
        if (!parsed) return std::nullopt;
        return number(kind::integer, *parsed);
    }

    std::optional<value> bulk(kind type, std::string_view header) {
        const auto length = parse_number(header);
        if (!length) return std::nullopt;
        if (*length < 0) return value{};
        const auto size = static_cast<std::size_t>(*length);
        if (size > bytes_.size() || bytes_.size() - at_ < size + 2) return std::nullopt;
        auto content = bytes_.substr(at_, size);
        at_ += size + 2;
        if (type == kind::verbatim && content.size() >= 4) content.remove_prefix(4);
        return text(type, content);
    }

    std::optional<value> aggregate(kind type, std::string_view header, std::int64_t factor, int depth) {
        const auto count = parse_number(header);
        if (!count || *count > argument_count_max) return std::nullopt;
        if (*count < 0) return value{};
        value v;
        v.type = type;
        // No room is reserved from the number alone: elements that are not there cost nothing.
        for (std::int64_t i = 0; i < *count * factor; ++i) {
            auto item = read(depth + 1);
            if (!item) return std::nullopt;
            v.items.push_back(std::move(*item));
        }
        return v;
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
};

}  // namespace

const value* value::find(std::string_view key) const {
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
        if (items[i].text == key) return &items[i + 1];
    return nullptr;
}

std::optional<value> parse_value(std::string_view bytes, std::size_t& used) {
    value_reader reader(bytes);
    auto result = reader.read(0);
    used = result ? reader.used() : 0;
    return result;
}

std::optional<value> parse_value(std::string_view bytes) {
    std::size_t used = 0;
    return parse_value(bytes, used);
}

}  // namespace resp
