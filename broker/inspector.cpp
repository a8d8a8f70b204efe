#include "broker/inspector.hpp"

#include <algorithm>

#include "broker/glance.hpp"
#include "broker/list_weight.hpp"
#include "resp/number.hpp"

namespace broker {

namespace {

constexpr std::int64_t first_window = 16;  // grows while elements turn out small
constexpr std::int64_t window_max = 256;
constexpr std::size_t small_window_bytes = 128U << 10;
constexpr std::int64_t near_end_max = 400;  // looked through for a tag nobody remembers

void keep_end(listed_message& message) {
    if (message.size <= large_element_bytes) return;
    message.element = message.element.substr(message.element.size() - glance_tail_bytes);
}

std::int64_t next_window(std::int64_t window, std::size_t bytes) {
    return bytes < small_window_bytes ? std::min(window * 2, window_max) : window;
}

}  // namespace

struct inspector::reading {
    std::int64_t elements;
    std::size_t bytes;

    void took(std::size_t count, std::size_t size) {
        elements -= static_cast<std::int64_t>(count);
        bytes -= std::min(bytes, size);
    }
    [[nodiscard]] bool over() const { return elements <= 0 || bytes == 0; }
};

std::string tag_of(std::string_view element) {
    const bool long_one = element.size() > glance_whole_max;
    const auto tail = long_one ? element.substr(element.size() - glance_tail_bytes) : element;
    const auto seen = glance(tail, element.size());
    return seen ? seen->head.tag : std::string();
}

std::string page_cursor::text() const {
    return std::to_string(step) + "." + std::to_string(position) + "." + tag;
}

std::optional<page_cursor> page_cursor::parse(std::string_view text) {
    const std::size_t one = text.find('.');
    const std::size_t two = one == std::string_view::npos ? one : text.find('.', one + 1);
    if (two == std::string_view::npos) return std::nullopt;
    const auto step = resp::parse_number(text.substr(0, one));
    const auto position = resp::parse_number(text.substr(one + 1, two - one - 1));
    if (!step || !position || *step < 0 || *step > 255 || *position < 0) return std::nullopt;
    return page_cursor{static_cast<int>(*step), *position, std::string(text.substr(two + 1))};
}

std::vector<std::vector<std::uint64_t>> inspector::depths(const broker_layout& layout,
                                                          const std::vector<std::string>& queues) {
    std::vector<redis_command> commands;
    for (const auto& queue : queues)
        for (const int step : layout.steps) commands.push_back({"LLEN", layout.list_key(queue, step)});
    const auto replies = redis_.pipeline(commands);
    std::vector<std::vector<std::uint64_t>> depths;
    std::size_t at = 0;
    for (std::size_t i = 0; i < queues.size(); ++i) {
        auto& by_step = depths.emplace_back();
        for (std::size_t step = 0; step < layout.steps.size(); ++step)
            by_step.push_back(static_cast<std::uint64_t>(replies[at++].integer));
    }
    return depths;
}

std::int64_t inspector::at_once(const std::string& key) {
    if (weighed_key_ != key) at_once_ = elements_at_once(redis_, key);
    weighed_key_ = key;
    return at_once_;
}

std::optional<inspector::read_part> inspector::range(const std::string& key, list_end from,
                                                     std::int64_t first, std::int64_t count,
                                                     std::string& error) {
    read_part read;
    while (count > 0 && !read.over && read.bytes < limits_.page_bytes_max) {
        const std::int64_t width = std::min(count, at_once(key));
        const std::int64_t last = first + width - 1;
        resp::value reply =
            from == list_end::left
                ? redis_.call({"LRANGE", key, std::to_string(first - 1), std::to_string(last - 1)})
                : redis_.call({"LRANGE", key, std::to_string(-last), std::to_string(-first)});
        if (is_error(reply)) {
            error = reply.text;
            return std::nullopt;
        }
        if (from == list_end::right) std::reverse(reply.items.begin(), reply.items.end());
        for (auto& item : reply.items) {
            read.bytes += item.text.size();
            read.elements.push_back(std::move(item.text));
        }
        read.over = static_cast<std::int64_t>(reply.items.size()) < width;
        first += width;
        count -= width;
    }
    return read;
}

std::vector<std::string> inspector::next_elements(const std::string& key, std::int64_t count) {
    weighed_key_.clear();
    std::string error;
    auto read = range(key, list_end::right, 1, count, error);
    return read ? std::move(read->elements) : std::vector<std::string>();
}

listed_message inspector::listed(const broker_layout& layout, std::string element, const std::string& queue,
                                 int step, std::int64_t position) {
    listed_message message;
    message.tag = tag_of(element);
    message.size = element.size();
    message.element = std::move(element);
    message.key = layout.list_key(queue, step);
    message.queue = queue;
    message.step = step;
    message.position = position;
    places_.remember(message.tag, {message.key, queue, step, position});
    return message;
}

// Where the message is now, counted from that end; looked for around where it was, farther towards the end
// it is served from.
std::optional<std::int64_t> inspector::refind(const std::string& key, list_end from, const std::string& tag,
                                              std::int64_t position, std::string* element) {
    std::string error;
    std::int64_t near = position;  // [near, far] has been looked at
    std::int64_t far = position - 1;
    reading left{limits_.refind_max, limits_.search_bytes_max};
    for (std::int64_t width = std::min<std::int64_t>(32, at_once(key)); !left.over(); width *= 2) {
        const auto look = [&](std::int64_t first, std::int64_t count) -> std::optional<std::int64_t> {
            while (count > 0 && !left.over()) {
                auto read = range(key, from, first, count, error);
                if (!read) return std::nullopt;
                left.took(read->elements.size(), read->bytes);
                for (std::size_t i = 0; i < read->elements.size(); ++i) {
                    if (tag_of(read->elements[i]) != tag) continue;
                    if (element != nullptr) *element = std::move(read->elements[i]);
                    return first + static_cast<std::int64_t>(i);
                }
                if (read->over) break;
                first += static_cast<std::int64_t>(read->elements.size());
                count -= static_cast<std::int64_t>(read->elements.size());
            }
            return std::nullopt;
        };
        if (const auto found = look(far + 1, width)) return found;
        const std::int64_t begin = std::max<std::int64_t>(1, near - width);
        if (const auto found = look(begin, near - begin)) return found;
        far += width;
        near = begin;
        if (!error.empty() || far - near + 1 >= limits_.refind_max) break;
    }
    return std::nullopt;
}

void inspector::read_step(const broker_layout& layout, const std::string& queue, int step, list_end from,
                          std::int64_t first, std::size_t limit, std::size_t& bytes, message_page& into) {
    const std::string key = layout.list_key(queue, step);
    std::int64_t window = std::min<std::int64_t>(first_window, static_cast<std::int64_t>(limit));
    while (into.items.size() < limit && bytes < limits_.page_bytes_max) {
        // A page read from the left tells positions from the right.
        std::int64_t length = 0;
        if (from == list_end::left) length = redis_.call({"LLEN", key}).integer;
        auto read = range(key, from, first, window, into.error);
        if (!read || read->elements.empty()) return;
        for (auto& element : read->elements) {
            if (into.items.size() == limit) break;
            const std::int64_t at = first++;
            auto message = listed(layout, std::move(element), queue, step,
                                  from == list_end::right ? at : std::max<std::int64_t>(1, length - at + 1));
            into.next = page_cursor{step, at, message.tag};
            if (!hidden(message.tag)) into.items.push_back(std::move(message));
        }
        bytes += read->bytes;
        if (read->over) return;
        window =
            std::min(next_window(window, read->bytes), static_cast<std::int64_t>(limit - into.items.size()));
    }
}

message_page inspector::page(const broker_layout& layout, const std::string& queue, list_end from,
                             const std::optional<page_cursor>& after, std::size_t limit) {
    auto page = whole_page(layout, queue, from, after, limit);
    for (auto& message : page.items) keep_end(message);
    return page;
}

message_page inspector::whole_page(const broker_layout& layout, const std::string& queue, list_end from,
                                   const std::optional<page_cursor>& after, std::size_t limit) {
    weighed_key_.clear();
    message_page page;
    std::size_t bytes = 0;
    bool begun = !after;
    for (const int step : layout.steps) {
        std::int64_t first = 1;
        if (!begun) {
            if (step != after->step) continue;
            begun = true;
            const auto found =
                refind(layout.list_key(queue, step), from, after->tag, after->position, nullptr);
            first = found.value_or(after->position) + 1;
            page.exact = found.has_value();
            page.left_meanwhile = found ? after->position - *found : 0;
        }
        read_step(layout, queue, step, from, first, limit, bytes, page);
        if (!page.error.empty() || page.items.size() >= limit || bytes >= limits_.page_bytes_max) break;
    }
    const bool full = page.items.size() >= limit || bytes >= limits_.page_bytes_max;
    if (!full) page.next.reset();
    return page;
}

std::optional<listed_message> inspector::near_end(const broker_layout& layout, const std::string& tag,
                                                  const std::string& queue, int step, list_end from,
                                                  std::int64_t count, reading& left) {
    const std::string key = layout.list_key(queue, step);
    const std::int64_t length = redis_.call({"LLEN", key}).integer;
    std::string error;
    for (std::int64_t first = 1; first <= std::min(count, length) && !left.over();) {
        auto read = range(key, from, first, first_window, error);
        if (!read || read->elements.empty()) return std::nullopt;
        left.took(read->elements.size(), read->bytes);
        for (auto& element : read->elements) {
            const std::int64_t at = first++;
            if (tag_of(element) != tag) continue;
            return listed(layout, std::move(element), queue, step,
                          from == list_end::right ? at : std::max<std::int64_t>(1, length - at + 1));
        }
    }
    return std::nullopt;
}

std::optional<listed_message> inspector::locate(const broker_layout& layout, const std::string& tag,
                                                const std::vector<std::string>& queues) {
    weighed_key_.clear();
    if (const auto place = places_.find(tag);
        place && place->key == layout.list_key(place->queue, place->step)) {
        std::string element;
        if (const auto at = refind(place->key, list_end::right, tag, place->position, &element))
            return listed(layout, std::move(element), place->queue, place->step, *at);
    }
    reading left{limits_.search_elements_max, limits_.search_bytes_max};
    for (const auto& queue : queues) {
        for (const int step : layout.steps) {
            if (left.over()) return std::nullopt;
            for (const list_end from : {list_end::right, list_end::left})
                if (auto found = near_end(layout, tag, queue, step, from, near_end_max, left)) return found;
        }
    }
    return std::nullopt;
}

search_result inspector::search(const broker_layout& layout, const std::vector<std::string>& queues,
                                const element_predicate& wanted, std::string_view cursor, std::size_t limit) {
    // "<number of the queue>.<step>.<position>.<tag>": behind that message.
    std::size_t begin = 0;
    std::optional<page_cursor> after;
    if (!cursor.empty()) {
        const std::size_t dot = cursor.find('.');
        const auto number = resp::parse_number(cursor.substr(0, dot));
        if (number && *number >= 0 && dot != std::string_view::npos) {
            begin = static_cast<std::size_t>(*number);
            after = page_cursor::parse(cursor.substr(dot + 1));
        }
    }
    search_result result;
    reading left{limits_.search_elements_max, limits_.search_bytes_max};
    for (std::size_t i = begin; i < queues.size(); ++i, after.reset()) {
        for (;;) {
            auto part =
                whole_page(layout, queues[i], list_end::right, after, static_cast<std::size_t>(window_max));
            if (!part.error.empty()) {
                result.error = std::move(part.error);
                return result;
            }
            std::size_t bytes = 0;
            for (auto& message : part.items) {
                bytes += message.element.size();
                ++result.looked_at;
                if (!wanted(message)) continue;
                keep_end(message);
                page_cursor here{message.step, message.position, message.tag};
                result.items.push_back(std::move(message));
                if (result.items.size() < limit) continue;
                result.next = std::to_string(i) + "." + here.text();
                return result;
            }
            if (!part.next) break;
            after = part.next;
            left.took(part.items.size(), bytes);
            if (!left.over()) continue;
            result.next = std::to_string(i) + "." + after->text();
            return result;
        }
    }
    return result;
}

}  // namespace broker
