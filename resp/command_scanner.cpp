#include "resp/command_scanner.hpp"

#include <cstring>

#include "resp/inline_command.hpp"
#include "resp/limits.hpp"
#include "resp/number.hpp"

namespace resp {

namespace {

// Position of the CR that ends the header line starting at `from`, provided the byte after it is there too.
std::size_t find_line_end(std::string_view bytes, std::size_t from) {
    const std::size_t cr = bytes.find('\r', from);
    if (cr == std::string_view::npos || cr + 2 > bytes.size()) return std::string_view::npos;
    return cr;
}

// The common header by hand: one to nine digits without a leading zero, CR and one byte more. Returns where
// the next byte stands, or nullptr for everything else, which the strict path then reads.
[[gnu::always_inline]] inline const char* read_short_header(const char* header, const char* end,
                                                            std::int64_t& number) {
    const char* at = header + 1;
    if (end - at < 3) return nullptr;
    auto digit = static_cast<unsigned>(static_cast<unsigned char>(*at) - '0');
    if (digit > 9) return nullptr;
    number = digit;
    ++at;
    if (*at != '\r') {
        if (digit == 0) return nullptr;
        const char* const last = end - at > 9 ? at + 8 : end - 1;
        while (at < last && (digit = static_cast<unsigned>(static_cast<unsigned char>(*at) - '0')) <= 9) {
            number = number * 10 + digit;
            ++at;
        }
        if (at + 1 >= end || *at != '\r') return nullptr;
    }
    return at + 2;
}

}  // namespace

scan_status command_scanner::scan(std::string_view bytes, peer_trust trust, scanned_command& out) {
    if (bytes.empty()) return scan_status::need_more;
    if (position_ == 0) {
        if (bytes.front() != '*') return scan_inline(bytes, out);
        if (trust == peer_trust::known && scan_whole(bytes, out)) return scan_status::command;
        const scan_status status = scan_header(bytes, trust, out);
        if (status != scan_status::command) return status;
    }
    return scan_arguments(bytes, trust, out);
}

// The common case without progress to keep: a whole command with short headers. False, and nothing is said of
// it, for all else.
bool command_scanner::scan_whole(std::string_view bytes, scanned_command& out) {
    constexpr std::size_t argument_bytes_min = 6;  // "$0\r\n\r\n"
    const char* const begin = bytes.data();
    const char* const end = begin + bytes.size();
    std::int64_t count = 0;
    const char* at = read_short_header(begin, end, count);
    if (at == nullptr || count <= 0) return false;
    const auto arguments = static_cast<std::size_t>(count);
    if (arguments > argument_views_max || arguments * argument_bytes_min > bytes.size()) return false;
    out.args.resize(arguments);
    for (std::string_view& arg : out.args) {
        std::int64_t length = 0;
        if (at >= end || *at != '$') return false;
        at = read_short_header(at, end, length);
        if (at == nullptr || end - at < length + 2 || length > bulk_bytes_max) return false;
        arg = {at, static_cast<std::size_t>(length)};
        at += length + 2;
    }
    out.bytes = static_cast<std::size_t>(at - begin);
    out.argument_count = arguments;
    out.is_inline = false;
    return true;
}

scan_status command_scanner::scan_inline(std::string_view bytes, scanned_command& out) {
    const std::size_t newline = bytes.find('\n', line_searched_);
    if (newline == std::string_view::npos) {
        if (bytes.size() > header_bytes_max) return fail(frame_error::inline_too_big);
        line_searched_ = bytes.size();
        wanted_ = 1;
        return scan_status::need_more;
    }
    std::string_view line = bytes.substr(0, newline);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    reset();
    out.bytes = newline + 1;
    out.is_inline = true;
    if (!split_inline(line, out.inline_text, out.args)) return fail(frame_error::unbalanced_quotes);
    out.argument_count = out.args.size();
    return out.args.empty() ? scan_status::nothing : scan_status::command;
}

// Reads "*N\r\n". `command` means: go on with the arguments.
scan_status command_scanner::scan_header(std::string_view bytes, peer_trust trust, scanned_command& out) {
    std::int64_t count = 0;
    std::size_t next = 0;
    if (const char* behind = read_short_header(bytes.data(), bytes.data() + bytes.size(), count)) {
        next = static_cast<std::size_t>(behind - bytes.data());
    } else {
        const std::size_t cr = find_line_end(bytes, 0);
        if (cr == std::string_view::npos) {
            if (bytes.size() > header_bytes_max) return fail(frame_error::multibulk_header_too_big);
            wanted_ = 2;
            return scan_status::need_more;
        }
        const auto number = parse_number(bytes.substr(1, cr - 1));
        if (!number) return fail(frame_error::bad_multibulk_length);
        count = *number;
        next = cr + 2;
    }
    if (count > argument_count_max) return fail(frame_error::bad_multibulk_length);
    if (trust == peer_trust::stranger && count > stranger_argument_count_max)
        return fail(frame_error::stranger_multibulk_length);
    if (count <= 0) {
        reset();
        out.bytes = next;
        out.args.clear();
        out.argument_count = 0;
        return scan_status::nothing;
    }
    position_ = next;
    count_ = remaining_ = count;
    return scan_status::command;
}

scan_status command_scanner::scan_arguments(std::string_view bytes, peer_trust trust, scanned_command& out) {
    // Views are gathered while scanning only if the whole command may be here: otherwise the bytes move
    // before it is complete, and they are gathered at the end.
    const bool from_the_start = remaining_ == count_;
    if (from_the_start) out.args.clear();
    std::size_t at = position_;
    while (remaining_ > 0) {
        if (at >= bytes.size()) break;
        if (bytes[at] != '$') return fail(frame_error::expected_dollar, bytes[at]);
        std::int64_t length = 0;
        std::size_t body = 0;
        if (const char* behind = read_short_header(bytes.data() + at, bytes.data() + bytes.size(), length)) {
            body = static_cast<std::size_t>(behind - bytes.data());
        } else {
            const std::size_t cr = find_line_end(bytes, at);
            if (cr == std::string_view::npos) {
                if (bytes.size() - at > header_bytes_max) return fail(frame_error::bulk_header_too_big);
                break;
            }
            const auto number = parse_number(bytes.substr(at + 1, cr - at - 1));
            if (!number || *number < 0) return fail(frame_error::bad_bulk_length);
            length = *number;
            body = cr + 2;
        }
        if (length > bulk_bytes_max) return fail(frame_error::bad_bulk_length);
        if (trust == peer_trust::stranger && length > stranger_bulk_bytes_max)
            return fail(frame_error::stranger_bulk_length);
        const std::size_t end = body + static_cast<std::size_t>(length) + 2;
        if (end > bytes.size()) {
            position_ = at;
            wanted_ = end - bytes.size();
            return wait(bytes, trust);
        }
        if (from_the_start && out.args.size() < argument_views_max)
            out.args.push_back(bytes.substr(body, static_cast<std::size_t>(length)));
        at = end;
        --remaining_;
    }
    position_ = at;
    if (remaining_ > 0) {
        wanted_ = static_cast<std::size_t>(remaining_) * 4;
        return wait(bytes, trust);
    }
    out.bytes = at;
    out.is_inline = false;
    out.argument_count = static_cast<std::size_t>(count_);
    if (!from_the_start) collect(bytes, out);
    reset();
    return scan_status::command;
}

// All headers were checked on the way; this only finds the bodies again.
void command_scanner::collect(std::string_view bytes, scanned_command& out) const {
    out.args.clear();
    std::size_t at = find_line_end(bytes, 0) + 2;
    for (std::int64_t i = 0; i < count_ && out.args.size() < argument_views_max; ++i) {
        const std::size_t cr = find_line_end(bytes, at);
        const auto length =
            static_cast<std::size_t>(parse_number(bytes.substr(at + 1, cr - at - 1)).value_or(0));
        out.args.push_back(bytes.substr(cr + 2, length));
        at = cr + 2 + length + 2;
    }
}

scan_status command_scanner::wait(std::string_view bytes, peer_trust trust) {
    const std::size_t limit = trust == peer_trust::stranger ? stranger_query_bytes_max : query_bytes_max;
    if (bytes.size() > limit) return fail(frame_error::query_too_big);
    return scan_status::need_more;
}

scan_status command_scanner::fail(frame_error error, char found) {
    error_ = error;
    found_ = found;
    return scan_status::error;
}

void command_scanner::reset() {
    position_ = 0;
    remaining_ = count_ = 0;
    wanted_ = 0;
    line_searched_ = 0;
}

}  // namespace resp
