#include "broker/glance.hpp"

#include <string>

namespace broker {

namespace {

constexpr int attempts_max = 4;

std::string_view without_space(std::string_view text) {
    const auto end = text.find_last_not_of(" \t\r\n");
    return end == std::string_view::npos ? std::string_view{} : text.substr(0, end + 1);
}

// Where an object (or, in `unacked`, the first item of an array) is continued in the middle.
std::optional<message_head> head_from(std::string_view rest) {
    if (rest.empty()) return std::nullopt;
    std::string text = rest.back() == ']' ? "[{" : "{";
    text.append(rest);
    return read_head(text);
}

// The next quote behind `from` that no backslash escapes and a comma and another quote follow: the end of the
// body, when the tail begins inside it. Answers the place of the other quote.
std::size_t member_behind_text(std::string_view tail, std::size_t from) {
    for (auto at = tail.find('"', from); at != std::string_view::npos; at = tail.find('"', at + 1)) {
        std::size_t slashes = 0;
        while (slashes < at && tail[at - 1 - slashes] == '\\') ++slashes;
        if (slashes % 2 == 1) continue;
        const auto comma = tail.find_first_not_of(" \t\r\n", at + 1);
        if (comma == std::string_view::npos || tail[comma] != ',') continue;
        const auto next = tail.find_first_not_of(" \t\r\n", comma + 1);
        if (next != std::string_view::npos && tail[next] == '"') return next;
    }
    return std::string_view::npos;
}

std::optional<glance_result> from_tail(std::string_view tail) {
    std::size_t at = 0;
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        at = member_behind_text(tail, at);
        if (at == std::string_view::npos) break;
        // Inside the headers it would read too, but then content-type is not among the members.
        if (auto head = head_from(tail.substr(at)); head && !head->content_type.empty())
            return glance_result{std::move(*head), glimpse::whole};
        ++at;
    }
    if (const auto last = tail.rfind("\"properties\""); last != std::string_view::npos)
        if (auto head = head_from(tail.substr(last)))
            return glance_result{std::move(*head), glimpse::properties_only};
    return std::nullopt;
}

}  // namespace

std::optional<glance_result> glance(std::string_view tail, std::uint64_t size) {
    const bool whole = size <= tail.size();
    tail = without_space(tail);
    if (!whole) return from_tail(tail);
    if (auto head = read_head(tail)) return glance_result{std::move(*head), glimpse::whole};
    return std::nullopt;
}

}  // namespace broker
