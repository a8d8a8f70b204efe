#include "resp/reply_scanner.hpp"

#include <algorithm>
#include <cstring>

namespace resp {

namespace {

constexpr std::uint64_t elements_max = 1ULL
                                       << 32;  // Redis's own multibulk bound is INT_MAX; a map doubles it
constexpr std::uint64_t bulk_max = 1ULL << 40;

bool has_length(char type) {
    switch (type) {
        case '$':
        case '*':
        case '%':
        case '~':
        case '>':
        case '|':
        case '=':
        case '!':
            return true;
        default:
            return false;
    }
}

bool is_scalar_line(char type) {
    switch (type) {
        case '+':
        case '-':
        case ':':
        case '_':
        case ',':
        case '#':
        case '(':
            return true;
        default:
            return false;
    }
}

}  // namespace

namespace {

// "N\r\n" with one to nine digits from `at` on: moves `at` behind it. False: something else, or cut off.
[[gnu::always_inline]] inline bool read_short_length(std::string_view bytes, std::size_t& at,
                                                     std::size_t& length) {
    constexpr std::size_t digits_max = 9;
    const std::size_t begin = at;
    const std::size_t last = std::min(bytes.size(), begin + digits_max);
    length = 0;
    for (unsigned digit = 0;
         at < last && (digit = static_cast<unsigned>(static_cast<unsigned char>(bytes[at]) - '0')) <= 9; ++at)
        length = length * 10 + digit;
    if (at == begin || at + 2 > bytes.size() || bytes[at] != '\r' || bytes[at + 1] != '\n') return false;
    at += 2;
    return true;
}

// A line or a bulk. Inlined in both places: most replies are one.
[[gnu::always_inline]] inline std::size_t short_element_bytes(std::string_view bytes) {
    constexpr std::string_view null_bulk = "$-1\r\n";
    switch (bytes.front()) {
        case '+':
        case '-':
        case ':':
        case '_':
        case '#':
        case ',': {
            const std::size_t newline = bytes.find('\n');
            return newline != std::string_view::npos && bytes[newline - 1] == '\r' ? newline + 1 : 0;
        }
        case '$': {
            std::size_t at = 1;
            std::size_t length = 0;
            if (!read_short_length(bytes, at, length))
                return bytes.starts_with(null_bulk) ? null_bulk.size() : 0;
            return at + length + 2 <= bytes.size() ? at + length + 2 : 0;
        }
        default:
            return 0;
    }
}

}  // namespace

namespace {

// The header's first byte is known already.
std::size_t short_aggregate_bytes(std::string_view bytes) {
    constexpr std::size_t short_elements_max = 16;
    std::size_t at = 1;
    std::size_t count = 0;
    if (!read_short_length(bytes, at, count) || count > short_elements_max) return 0;
    for (; count > 0; --count) {
        const std::size_t size = at < bytes.size() ? short_element_bytes(bytes.substr(at)) : 0;
        if (size == 0) return 0;
        at += size;
    }
    return at;
}

}  // namespace

std::size_t short_reply_bytes(std::string_view bytes) {
    return bytes.front() == '*' ? short_aggregate_bytes(bytes) : short_element_bytes(bytes);
}

std::size_t short_push_bytes(std::string_view bytes) {
    return bytes.front() == '>' ? short_aggregate_bytes(bytes) : 0;
}

reply_scanner::step reply_scanner::scan(std::string_view bytes) {
    if (missing_ == 0 && !bytes.empty()) {
        const std::size_t whole = bytes.front() == '>' ? short_push_bytes(bytes) : short_reply_bytes(bytes);
        if (whole > 0) {
            type_ = bytes.front();
            return {reply_status::complete, whole};
        }
    }
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (skip_ > 0) {
            const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, bytes.size() - at));
            at += taken;
            skip_ -= taken;
            if (skip_ > 0) return {reply_status::need_more, at};
            if (--missing_ == 0) return {reply_status::complete, at};
            continue;
        }
        if (!in_line_) {
            if (!on_line_start(bytes[at++])) return {reply_status::error, at};
            continue;
        }
        if (!numeric_) {
            // A line of text: only its end matters. A bare LF belongs to the text.
            const std::size_t begin = at;
            const void* found = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
            if (found == nullptr) {
                saw_cr_ = bytes.back() == '\r';
                return {reply_status::need_more, bytes.size()};
            }
            at = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data()) + 1;
            const bool after_cr = at - 1 == begin ? saw_cr_ : bytes[at - 2] == '\r';
            saw_cr_ = false;
            if (!after_cr) continue;
            in_line_ = false;
            if (--missing_ == 0) return {reply_status::complete, at};
            continue;
        }
        const char c = bytes[at++];
        if (c >= '0' && c <= '9' && !saw_cr_ && digits_ < 18) {
            number_ = number_ * 10 + (c - '0');
            ++digits_;
        } else if (c == '-' && digits_ == 0 && !negative_ && !saw_cr_) {
            negative_ = true;
        } else if (c == '\r' && digits_ > 0 && !saw_cr_) {
            saw_cr_ = true;
        } else if (c == '\n' && saw_cr_) {
            if (!on_line_end()) return {reply_status::error, at};
            if (missing_ == 0) return {reply_status::complete, at};
        } else {
            return {reply_status::error, at};
        }
    }
    return {reply_status::need_more, at};
}

bool reply_scanner::on_line_start(char c) {
    if (missing_ == 0) {
        missing_ = 1;
        type_ = c;
    } else if (type_ == '|' && missing_ == 1) {
        type_ = c;  // what follows the attributes of a reply is the reply itself
    }
    line_type_ = c;
    in_line_ = true;
    saw_cr_ = negative_ = false;
    number_ = 0;
    digits_ = 0;
    numeric_ = has_length(c);
    return numeric_ || is_scalar_line(c);
}

bool reply_scanner::on_line_end() {
    in_line_ = false;
    if (negative_) {
        // Only RESP2's null bulk and null array are negative.
        if (number_ != 1 || (line_type_ != '$' && line_type_ != '*')) return false;
        --missing_;
        return true;
    }
    switch (line_type_) {
        case '$':
        case '=':
        case '!':
            if (static_cast<std::uint64_t>(number_) > bulk_max) return false;
            skip_ = static_cast<std::uint64_t>(number_) + 2;
            return true;
        case '%':
            --missing_;
            return add_elements(2);
        case '|':
            return add_elements(2);  // attributes come in front of a reply, not instead of it
        default:
            --missing_;
            return add_elements(1);
    }
}

bool reply_scanner::add_elements(std::uint64_t factor) {
    const std::uint64_t added = static_cast<std::uint64_t>(number_) * factor;
    if (static_cast<std::uint64_t>(number_) > elements_max || missing_ + added > elements_max) return false;
    missing_ += added;
    return true;
}

}  // namespace resp
