#include "resp/glob.hpp"

#include <utility>

namespace resp {
namespace {

constexpr std::size_t no_match = std::string_view::npos;

// [...] opened just before `at`: where the pattern goes on after the class, or no_match. An unclosed class
// ends with the pattern. Ranges compare plain chars, signed where Redis's are.
std::size_t match_class(std::string_view pattern, std::size_t at, char c) {
    const bool negated = at < pattern.size() && pattern[at] == '^';
    if (negated) ++at;
    bool matched = false;
    for (; at < pattern.size() && pattern[at] != ']'; ++at) {
        const std::size_t left = pattern.size() - at;
        if (pattern[at] == '\\' && left >= 2) {
            matched |= pattern[++at] == c;
        } else if (left >= 3 && pattern[at + 1] == '-') {
            char low = pattern[at];
            char high = pattern[at + 2];
            if (low > high) std::swap(low, high);
            matched |= low <= c && c <= high;
            at += 2;
        } else {
            matched |= pattern[at] == c;
        }
    }
    if (matched == negated) return no_match;
    return at < pattern.size() ? at + 1 : at;
}

// One element of the pattern that is not a star, against one byte: where the pattern goes on, or no_match.
std::size_t match_one(std::string_view pattern, std::size_t at, char c) {
    switch (pattern[at]) {
        case '?':
            return at + 1;
        case '[':
            return match_class(pattern, at + 1, c);
        case '\\':
            if (at + 1 < pattern.size()) ++at;
            break;
        default:
            break;
    }
    return pattern[at] == c ? at + 1 : no_match;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
    // As in Redis 7, nothing but the empty pattern matches an empty text: not even a star.
    if (text.empty()) return pattern.empty();
    // Every element but a star takes exactly one byte, so only the last star ever needs to take more: that
    // bounds the work by the product of the two lengths.
    std::size_t after_star = no_match;
    std::size_t star_text = 0;
    std::size_t at = 0;
    std::size_t i = 0;
    while (i < text.size()) {
        if (at < pattern.size() && pattern[at] == '*') {
            after_star = ++at;
            star_text = i;
            continue;
        }
        const std::size_t next = at < pattern.size() ? match_one(pattern, at, text[i]) : no_match;
        if (next != no_match) {
            at = next;
            ++i;
        } else if (after_star != no_match) {
            at = after_star;
            i = ++star_text;
        } else {
            return false;
        }
    }
    while (at < pattern.size() && pattern[at] == '*') ++at;
    return at == pattern.size();
}

}  // namespace resp
