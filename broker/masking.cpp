#include "broker/masking.hpp"

#include <algorithm>
#include <cctype>

#include "broker/typed_value.hpp"

namespace broker {

namespace json = boost::json;

namespace {

// std::regex searches recursively: longer names are cut.
constexpr std::size_t name_bytes_max = 200;
constexpr std::size_t depth_max = 200;

// Members whose texts are Python's repr of arguments or of what came out.
bool holds_repr(std::string_view name) {
    constexpr std::string_view names[] = {"argsrepr", "kwargsrepr", "args",     "kwargs",
                                          "result",   "exception",  "traceback"};
    return std::ranges::find(names, name) != std::end(names);
}

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Behind the string literal that begins at `at`; the end of the text when it is cut off.
std::size_t behind_literal(std::string_view text, std::size_t at) {
    const char quote = text[at++];
    while (at < text.size() && text[at] != quote) at += text[at] == '\\' ? 2 : 1;
    return std::min(at + 1, text.size());
}

// Behind the value that begins at `at`: up to a comma or bracket of the level outside it.
std::size_t behind_value(std::string_view text, std::size_t at) {
    int depth = 0;
    while (at < text.size()) {
        const char c = text[at];
        if (c == '\'' || c == '"') {
            at = behind_literal(text, at);
            continue;
        }
        if (c == '(' || c == '[' || c == '{') ++depth;
        if (depth == 0 && (c == ',' || c == ')' || c == ']' || c == '}' || c == '>')) break;
        if (c == ')' || c == ']' || c == '}') --depth;
        ++at;
    }
    return at;
}

// The name before the colon or equals sign at `at`: a literal or a word. Empty when there is none.
std::string_view name_before(std::string_view text, std::size_t at) {
    while (at > 0 && text[at - 1] == ' ') --at;
    if (at == 0) return {};
    const char last = text[at - 1];
    if (last == '\'' || last == '"') {
        const auto open = at >= 2 ? text.rfind(last, at - 2) : std::string_view::npos;
        return open == std::string_view::npos ? std::string_view{} : text.substr(open + 1, at - open - 2);
    }
    std::size_t begin = at;
    while (begin > 0 && is_word(text[begin - 1])) --begin;
    return text.substr(begin, at - begin);
}

}  // namespace

std::optional<masking> masking::make(std::span<const std::string> patterns, std::string& error) {
    masking out;
    for (const auto& pattern : patterns) {
        try {
            out.patterns_.emplace_back(pattern,
                                       std::regex::ECMAScript | std::regex::icase | std::regex::optimize);
        } catch (const std::regex_error& problem) {
            error = pattern + ": " + problem.what();
            return std::nullopt;
        }
    }
    return out;
}

bool masking::hides(std::string_view name) const {
    const auto part = name.substr(0, name_bytes_max);
    return std::ranges::any_of(patterns_, [&](const std::regex& pattern) {
        return std::regex_search(part.begin(), part.end(), pattern);
    });
}

std::string masking::apply_to_repr(std::string_view text) const {
    std::string out;
    std::size_t done = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        const char c = text[at];
        const bool assigns = c == ':' || (c == '=' && at > 0 && is_word(text[at - 1]));
        if (!assigns || !hides(name_before(text, at))) {
            ++at;
            continue;
        }
        std::size_t begin = at + 1;
        while (begin < text.size() && text[begin] == ' ') ++begin;
        out.append(text.substr(done, begin - done)).append(masked_text);
        at = std::max(behind_value(text, begin), at + 1);
        done = at;
    }
    return out.append(text.substr(done));
}

void masking::apply(json::value& value) const {
    if (!patterns_.empty()) apply(value, 0);
}

void masking::apply(json::value& value, std::size_t depth) const {
    if (depth > depth_max) {
        value = json::string(masked_text);
    } else if (auto* members = value.if_object()) {
        for (auto& member : *members) {
            const std::string_view name(member.key());
            auto* text = member.value().if_string();
            if (hides(name))
                member.value() = json::string(masked_text);
            else if (text != nullptr && holds_repr(name))
                *text = apply_to_repr(*text);
            else
                apply(member.value(), depth + 1);
        }
    } else if (auto* items = value.if_array()) {
        // A pair with a secret name in front: dict.items(), or a map whose keys are not all texts.
        const bool pair = items->size() == 2 && (*items)[0].is_string();
        if (pair && hides(std::string_view((*items)[0].get_string())))
            (*items)[1] = json::string(masked_text);
        for (auto& item : *items) apply(item, depth + 1);
    }
}

}  // namespace broker
