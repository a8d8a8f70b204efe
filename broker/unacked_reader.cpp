#include "broker/unacked_reader.hpp"

#include <cstdlib>

namespace broker {

namespace {

constexpr std::uint64_t fetched_bytes_max = 64U << 10;  // of one message in a page
constexpr std::uint64_t found_bytes_max = 16U << 20;    // of one that was asked for
constexpr std::uint64_t page_bytes_max = 2U << 20;

}  // namespace

std::uint64_t unacked_reader::count(const broker_layout& layout) {
    return static_cast<std::uint64_t>(redis_.call({"HLEN", layout.unacked}).integer);
}

unacked_page unacked_reader::page(const broker_layout& layout, std::string_view cursor, std::size_t limit) {
    unacked_page page;
    // "score tag": behind that one. Whoever has the same score comes in the order of the tags.
    const std::size_t space = cursor.find(' ');
    const std::string from(space == cursor.npos ? std::string_view("-inf") : cursor.substr(0, space));
    const std::string_view last = space == cursor.npos ? std::string_view() : cursor.substr(space + 1);
    const auto reply = redis_.call({"ZRANGEBYSCORE", layout.unacked_index, from, "+inf", "WITHSCORES",
                                    "LIMIT", "0", std::to_string(limit + 64)});
    if (is_error(reply)) {
        page.error = reply.text;
        return page;
    }
    std::vector<std::pair<std::string, std::string>> tags;  // with scores as text
    for (std::size_t i = 0; i + 1 < reply.items.size() && tags.size() < limit; i += 2) {
        const auto& tag = reply.items[i].text;
        const auto& score = reply.items[i + 1].text;
        if (!last.empty() && score == from && tag <= last) continue;
        tags.emplace_back(tag, score);
    }
    std::vector<redis_command> questions;
    questions.reserve(tags.size());
    for (const auto& [tag, score] : tags) questions.push_back({"HSTRLEN", layout.unacked, tag});
    const auto sizes = redis_.pipeline(questions);
    questions.clear();
    std::uint64_t bytes = 0;
    std::size_t taken = 0;
    for (; taken < tags.size() && bytes < page_bytes_max; ++taken) {
        unacked_item item;
        item.tag = tags[taken].first;
        item.taken_at = std::strtod(tags[taken].second.c_str(), nullptr);
        item.size = static_cast<std::uint64_t>(sizes[taken].integer);
        if (item.size <= fetched_bytes_max) {
            questions.push_back({"HGET", layout.unacked, item.tag});
            bytes += item.size;
        }
        page.items.push_back(std::move(item));
    }
    const auto values = redis_.pipeline(questions);
    std::size_t at = 0;
    for (auto& item : page.items)
        if (item.size <= fetched_bytes_max) item.value = values[at++].text;
    if (taken > 0 && (taken < tags.size() || tags.size() == limit))
        page.next = tags[taken - 1].second + " " + tags[taken - 1].first;
    return page;
}

std::optional<unacked_item> unacked_reader::find(const broker_layout& layout, const std::string& tag) {
    const std::vector<redis_command> questions{{"HSTRLEN", layout.unacked, tag},
                                               {"ZSCORE", layout.unacked_index, tag}};
    const auto answers = redis_.pipeline(questions);
    if (answers[0].integer == 0) return std::nullopt;
    unacked_item item;
    item.tag = tag;
    item.size = static_cast<std::uint64_t>(answers[0].integer);
    item.taken_at = std::strtod(answers[1].text.c_str(), nullptr);
    if (item.size <= found_bytes_max) item.value = redis_.call({"HGET", layout.unacked, tag}).text;
    return item;
}

}  // namespace broker
