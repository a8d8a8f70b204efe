#pragma once
// Reads queues as they lie in Redis without changing them, with bounded commands only: no call reads more
// than a few thousand elements or a few megabytes, whatever the queue holds, and ends with the first element
// that is larger. Of such a one a page or search keeps the end, which tells its tag, task and id.
//
// Positions count from the end they are named after: from the right, 1 is what runs next. A position is a
// hint, since queues move while they are read; the tag is what identifies a message. A page's cursor is the
// tag of its last message with its position, and the next page begins behind that message wherever it is by
// then.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker_layout.hpp"
#include "broker/place_memory.hpp"
#include "broker/redis_port.hpp"

namespace broker {

enum class list_end : std::uint8_t { right, left };  // right: next to run first; left: newest first

struct listed_message {
    std::string element;     // exact bytes; of a large one that was listed only the end
    std::uint64_t size = 0;  // of the whole
    std::string tag;         // empty: not one of kombu's
    std::string key;         // the list
    std::string queue;
    int step = 0;
    std::int64_t position = 0;  // from the right

    [[nodiscard]] bool whole() const { return element.size() == size; }
};

struct page_cursor {
    int step = 0;
    std::int64_t position = 0;  // from the end the page is read from
    std::string tag;

    [[nodiscard]] std::string text() const;
    [[nodiscard]] static std::optional<page_cursor> parse(std::string_view text);
};

struct message_page {
    std::vector<listed_message> items;
    std::optional<page_cursor> next;
    std::int64_t left_meanwhile = 0;  // how far the cursor's message has moved towards the end
    bool exact = true;                // false: the cursor's message is gone; some may be missed or repeated
    std::string error;                // Redis's words; empty = none
};

struct search_result {
    std::vector<listed_message> items;
    std::optional<std::string> next;  // where to go on; absent: everything was looked at
    std::uint64_t looked_at = 0;
    std::string error;
};

struct inspector_limits {
    std::size_t page_bytes_max = 1U << 20;
    std::size_t search_bytes_max = 2U << 20;  // read by one request
    std::int64_t search_elements_max = 2'500;
    std::int64_t refind_max = 1'000;  // how far a cursor's or remembered message is looked for
};

class inspector {
public:
    using tag_predicate = std::function<bool(std::string_view tag)>;
    using element_predicate = std::function<bool(const listed_message&)>;

    explicit inspector(redis_port& redis, inspector_limits limits = {}) : redis_(redis), limits_(limits) {}

    // Messages whose removal is marked: skipped everywhere.
    void set_hidden(tag_predicate hidden) { hidden_ = std::move(hidden); }

    // By queue, then by step. An error leaves zeros.
    [[nodiscard]] std::vector<std::vector<std::uint64_t>> depths(const broker_layout& layout,
                                                                 const std::vector<std::string>& queues);
    [[nodiscard]] message_page page(const broker_layout& layout, const std::string& queue, list_end from,
                                    const std::optional<page_cursor>& after, std::size_t limit);
    // By memory of where it was seen, else near both ends of the queues. nullopt: it is not there, or deep in
    // a queue that was not paged or searched. However large it is, its element is whole.
    [[nodiscard]] std::optional<listed_message> locate(const broker_layout& layout, const std::string& tag,
                                                       const std::vector<std::string>& queues);
    // One step of a search through the queues, in their order, from the right.
    [[nodiscard]] search_result search(const broker_layout& layout, const std::vector<std::string>& queues,
                                       const element_predicate& wanted, std::string_view cursor,
                                       std::size_t limit);

    // What would be delivered next from a list, at most so many.
    [[nodiscard]] std::vector<std::string> next_elements(const std::string& key, std::int64_t count);

    [[nodiscard]] place_memory& places() { return places_; }

private:
    struct reading;  // what one request may still read
    struct read_part {
        std::vector<std::string> elements;  // nearest first
        std::size_t bytes = 0;
        bool over = false;  // the list ends behind them
    };

    bool hidden(std::string_view tag) const { return !tag.empty() && hidden_ && hidden_(tag); }
    // Elements at positions [first, first + count) from that end; fewer behind a large one.
    std::optional<read_part> range(const std::string& key, list_end from, std::int64_t first,
                                   std::int64_t count, std::string& error);
    std::int64_t at_once(const std::string& key);
    message_page whole_page(const broker_layout& layout, const std::string& queue, list_end from,
                            const std::optional<page_cursor>& after, std::size_t limit);
    listed_message listed(const broker_layout& layout, std::string element, const std::string& queue,
                          int step, std::int64_t position);
    std::optional<std::int64_t> refind(const std::string& key, list_end from, const std::string& tag,
                                       std::int64_t position, std::string* element);
    std::optional<listed_message> near_end(const broker_layout& layout, const std::string& tag,
                                           const std::string& queue, int step, list_end from,
                                           std::int64_t count, reading& left);
    void read_step(const broker_layout& layout, const std::string& queue, int step, list_end from,
                   std::int64_t first, std::size_t limit, std::size_t& bytes, message_page& into);

    redis_port& redis_;
    inspector_limits limits_;
    tag_predicate hidden_;
    place_memory places_;
    std::string weighed_key_;  // in this call
    std::int64_t at_once_ = 0;
};

// The delivery_tag of an element; empty when it has none.
[[nodiscard]] std::string tag_of(std::string_view element);

}  // namespace broker
