#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "broker/blocking_call.hpp"
#include "broker/stream_options.hpp"
#include "resp/number.hpp"

namespace broker {
namespace {

// Longer waits count as this long, so that adding them to any clock cannot overflow.
constexpr std::chrono::milliseconds longest_wait = std::chrono::hours(24 * 365 * 100);

enum class timeout_unit : std::uint8_t { seconds, milliseconds };

struct shape {
    std::string_view name;
    blocking_kind kind;
    std::size_t arguments_min;
    std::size_t arguments_max;  // 0 = any number
};

constexpr shape shapes[] = {
    {"blpop", blocking_kind::blpop, 3, 0},       {"brpop", blocking_kind::brpop, 3, 0},
    {"blmove", blocking_kind::blmove, 6, 6},     {"brpoplpush", blocking_kind::brpoplpush, 4, 4},
    {"blmpop", blocking_kind::blmpop, 5, 0},     {"bzmpop", blocking_kind::bzmpop, 5, 0},
    {"bzpopmin", blocking_kind::bzpopmin, 3, 0}, {"bzpopmax", blocking_kind::bzpopmax, 3, 0},
    {"xread", blocking_kind::xread, 4, 0},       {"xreadgroup", blocking_kind::xreadgroup, 7, 0}};

const shape* shape_of(std::string_view name) {
    for (const shape& candidate : shapes) {
        if (same_word(candidate.name, name)) return &candidate;
    }
    return nullptr;
}

// As Redis reads it: whatever strtold takes whole (exponents and hex included), without blanks, rounded up to
// whole milliseconds. -0.0001 rounds to 0 and so waits for ever, there as here.
std::optional<std::int64_t> parse_seconds(std::string_view text) {
    constexpr std::size_t text_max = 5'120;
    if (text.empty() || text.size() >= text_max || std::isspace(static_cast<unsigned char>(text[0])) != 0) {
        return std::nullopt;
    }
    const std::string copy(text);
    char* end = nullptr;
    errno = 0;
    const long double seconds = std::strtold(copy.c_str(), &end);
    if (end != copy.c_str() + copy.size() || !std::isfinite(seconds)) return std::nullopt;
    if (errno == ERANGE && std::fpclassify(seconds) == FP_ZERO) return std::nullopt;
    const long double rounded = std::ceil(seconds * 1000);
    if (rounded >= 0x1p63L || rounded < 0) return std::nullopt;
    return static_cast<std::int64_t>(rounded);
}

// False when Redis would refuse the timeout.
bool read_timeout(std::string_view text, timeout_unit unit,
                  std::optional<std::chrono::milliseconds>& timeout) {
    const auto count = unit == timeout_unit::seconds ? parse_seconds(text) : resp::parse_number(text);
    if (!count || *count < 0) return false;
    timeout.reset();
    if (*count > 0) timeout = std::min(std::chrono::milliseconds(*count), longest_wait);
    return true;
}

blocking_parse parse_streams(std::span<const std::string_view> args, blocking_call& call) {
    const stream_options options = read_stream_options(args);
    if (options.blocks.empty()) return blocking_parse::not_blocking;
    for (const std::size_t at : options.blocks) {
        if (!read_timeout(args[at], timeout_unit::milliseconds, call.timeout)) return blocking_parse::invalid;
    }
    if (options.first_key == 0 || (args.size() - options.first_key) % 2 != 0) return blocking_parse::invalid;
    call.timeout_index = options.blocks.back();
    const auto keys = args.subspan(options.first_key, options.keys);
    call.keys.assign(keys.begin(), keys.end());
    return blocking_parse::blocking;
}

bool is_end(blocking_kind kind, std::string_view word) {
    if (kind == blocking_kind::bzmpop) return same_word(word, "min") || same_word(word, "max");
    return same_word(word, "left") || same_word(word, "right");
}

// BLMPOP and BZMPOP: timeout, number of keys, keys, which end. What follows is left for Redis to judge.
blocking_parse parse_counted(std::span<const std::string_view> args, blocking_call& call) {
    constexpr std::size_t first_key = 3;
    const auto count = resp::parse_number(args[2]);
    if (!count || *count < 1) return blocking_parse::invalid;
    const auto keys = static_cast<std::uint64_t>(*count);
    if (keys >= args.size() - first_key) return blocking_parse::invalid;
    if (!is_end(call.kind, args[first_key + keys])) return blocking_parse::invalid;
    const auto names = args.subspan(first_key, keys);
    call.keys.assign(names.begin(), names.end());
    call.timeout_index = 1;
    return blocking_parse::blocking;
}

blocking_parse parse_pop(std::span<const std::string_view> args, blocking_call& call) {
    call.timeout_index = args.size() - 1;
    auto names = args.subspan(1, args.size() - 2);
    if (call.kind == blocking_kind::blmove) {
        if (!is_end(call.kind, args[3]) || !is_end(call.kind, args[4])) return blocking_parse::invalid;
        names = args.subspan(1, 1);
    } else if (call.kind == blocking_kind::brpoplpush) {
        names = args.subspan(1, 1);
    }
    call.keys.assign(names.begin(), names.end());
    return blocking_parse::blocking;
}

}  // namespace

blocking_parse parse_blocking(std::span<const std::string_view> args, blocking_call& call) {
    const shape* form = args.empty() ? nullptr : shape_of(args[0]);
    if (form == nullptr) return blocking_parse::not_blocking;
    blocking_call read;
    read.kind = form->kind;
    const bool too_many = form->arguments_max != 0 && args.size() > form->arguments_max;
    const bool arity_fits = args.size() >= form->arguments_min && !too_many;
    if (!arity_fits) return reads_streams(read.kind) ? blocking_parse::not_blocking : blocking_parse::invalid;

    blocking_parse verdict{};
    if (reads_streams(read.kind)) {
        verdict = parse_streams(args, read);
    } else {
        const bool counted = read.kind == blocking_kind::blmpop || read.kind == blocking_kind::bzmpop;
        verdict = counted ? parse_counted(args, read) : parse_pop(args, read);
        const std::string_view timeout = args[read.timeout_index];
        if (verdict == blocking_parse::blocking &&
            !read_timeout(timeout, timeout_unit::seconds, read.timeout)) {
            verdict = blocking_parse::invalid;
        }
    }
    if (verdict != blocking_parse::blocking) return verdict;
    read.args.assign(args.begin(), args.end());
    call = std::move(read);
    return verdict;
}

}  // namespace broker
