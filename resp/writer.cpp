#include "resp/writer.hpp"

#include <charconv>

namespace resp {

namespace {

void append_header(std::string& out, char type, std::int64_t number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.push_back(type);
    out.append(digits, static_cast<std::size_t>(end - digits));
    out.append("\r\n");
}

}  // namespace

void append_bulk(std::string& out, std::string_view text) {
    append_header(out, '$', static_cast<std::int64_t>(text.size()));
    out.append(text);
    out.append("\r\n");
}

void append_simple(std::string& out, std::string_view text) {
    out.push_back('+');
    out.append(text);
    out.append("\r\n");
}

void append_error(std::string& out, std::string_view text) {
    out.push_back('-');
    for (const char c : text) out.push_back(c == '\r' || c == '\n' ? ' ' : c);
    out.append("\r\n");
}

void append_integer(std::string& out, std::int64_t number) {
    append_header(out, ':', number);
}

void append_array_header(std::string& out, std::size_t count) {
    append_header(out, '*', static_cast<std::int64_t>(count));
}

void append_push_header(std::string& out, std::size_t count) {
    append_header(out, '>', static_cast<std::int64_t>(count));
}

void append_map_header(std::string& out, std::size_t pairs, int protocol) {
    if (protocol == 3) {
        append_header(out, '%', static_cast<std::int64_t>(pairs));
    } else {
        append_array_header(out, pairs * 2);
    }
}

void append_null(std::string& out, int protocol) {
    out.append(protocol == 3 ? "_\r\n" : "$-1\r\n");
}

void append_null_array(std::string& out, int protocol) {
    out.append(protocol == 3 ? "_\r\n" : "*-1\r\n");
}

void append_verbatim(std::string& out, std::string_view text, int protocol) {
    if (protocol != 3) return append_bulk(out, text);
    append_header(out, '=', static_cast<std::int64_t>(text.size() + 4));
    out.append("txt:").append(text).append("\r\n");
}

void append_command(std::string& out, std::span<const std::string_view> args) {
    append_array_header(out, args.size());
    for (const auto arg : args) append_bulk(out, arg);
}

std::string command(std::initializer_list<std::string_view> args) {
    std::string out;
    append_command(out, std::span(args.begin(), args.size()));
    return out;
}

}  // namespace resp
