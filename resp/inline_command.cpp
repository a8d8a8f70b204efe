#include "resp/inline_command.hpp"

#include <cctype>
#include <utility>

namespace resp {

namespace {

bool is_blank(char c) {
    return std::isspace(static_cast<unsigned char>(c)) != 0;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char unescape(char c) {
    switch (c) {
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        case 'b':
            return '\b';
        case 'a':
            return '\a';
        default:
            return c;
    }
}

// Reads a quoted part whose opening quote stands before `at`. False when it does not close properly.
bool read_quoted(std::string_view line, std::size_t& at, char quote, std::string& text) {
    while (at < line.size()) {
        const char c = line[at];
        if (c == '\\' && quote == '"' && at + 3 < line.size() && line[at + 1] == 'x' &&
            hex_digit(line[at + 2]) >= 0 && hex_digit(line[at + 3]) >= 0) {
            text.push_back(static_cast<char>(hex_digit(line[at + 2]) * 16 + hex_digit(line[at + 3])));
            at += 4;
        } else if (c == '\\' && quote == '"' && at + 1 < line.size()) {
            text.push_back(unescape(line[at + 1]));
            at += 2;
        } else if (c == '\\' && quote == '\'' && at + 1 < line.size() && line[at + 1] == '\'') {
            text.push_back('\'');
            at += 2;
        } else if (c == quote) {
            ++at;
            return at == line.size() || is_blank(line[at]);
        } else {
            text.push_back(c);
            ++at;
        }
    }
    return false;
}

}  // namespace

bool split_inline(std::string_view line, std::string& text, std::vector<std::string_view>& args) {
    text.clear();
    args.clear();
    // A C string to Redis: what follows a NUL is not seen.
    line = line.substr(0, line.find('\0'));
    std::vector<std::pair<std::size_t, std::size_t>>
        spans;  // views are made last: `text` moves while it grows
    std::size_t at = 0;
    while (true) {
        while (at < line.size() && is_blank(line[at])) ++at;
        if (at == line.size()) break;
        const std::size_t begin = text.size();
        while (at < line.size() && !is_blank(line[at])) {
            const char c = line[at++];
            if (c != '"' && c != '\'') {
                text.push_back(c);
            } else if (!read_quoted(line, at, c, text)) {
                return false;
            }
        }
        spans.emplace_back(begin, text.size() - begin);
    }
    for (const auto& [begin, size] : spans) args.push_back(std::string_view(text).substr(begin, size));
    return true;
}

}  // namespace resp
