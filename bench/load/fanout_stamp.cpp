#include "bench/load/fanout_stamp.hpp"

#include <algorithm>

namespace bench {

namespace {

void append_hex(std::string& out, std::uint64_t value, int digits) {
    static constexpr char digit[] = "0123456789abcdef";
    for (int i = digits - 1; i >= 0; --i) out += digit[(value >> (4 * i)) & 15U];
}

bool read_hex(std::string_view text, std::uint64_t& value) {
    value = 0;
    for (const char c : text) {
        const bool number = c >= '0' && c <= '9';
        if (!number && (c < 'a' || c > 'f')) return false;
        value = value * 16 + static_cast<unsigned>(number ? c - '0' : c - 'a' + 10);
    }
    return true;
}

}  // namespace

std::string stamped_payload(const stamp& says, std::size_t bytes) {
    std::string out;
    out.reserve(std::max(bytes, stamp_bytes));
    append_hex(out, says.due_ns, 16);
    append_hex(out, says.publisher, 8);
    append_hex(out, says.seq, 8);
    out.resize(std::max(bytes, stamp_bytes), '.');
    return out;
}

std::optional<stamp> read_stamp(std::string_view payload) {
    if (payload.size() < stamp_bytes) return std::nullopt;
    std::uint64_t due = 0;
    std::uint64_t publisher = 0;
    std::uint64_t seq = 0;
    if (!read_hex(payload.substr(0, 16), due) || !read_hex(payload.substr(16, 8), publisher) ||
        !read_hex(payload.substr(24, 8), seq))
        return std::nullopt;
    return stamp{due, static_cast<std::uint32_t>(publisher), static_cast<std::uint32_t>(seq)};
}

}  // namespace bench
