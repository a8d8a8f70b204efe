#pragma once
// What the routes that change something have in common: choosing messages by tag or filter, checking the
// expected count, doing it one by one, and telling what became of them.

#include <functional>
#include <vector>

#include "sidecar/http/broker_call.hpp"

namespace sidecar {

using broker::change_outcome;
using broker::change_result;
using broker::listed_message;

[[nodiscard]] broker::change_author author_of(const broker_call& call);

class change_summary {
public:
    void add(const std::string& tag, const change_result& result);
    [[nodiscard]] json::object as_json() const;

private:
    std::int64_t changed_ = 0;
    std::int64_t marked_ = 0;
    json::array gone_;
    json::array undo_;
    json::array errors_;
};

// The messages of one queue that the body names: `tags`, or all that fit `filter` (or task, id and text
// beside it); all of them where it names neither. Refuses when a filter is
// given without `expect`, or the count is another, or the queue is too long to be looked through at once.
[[nodiscard]] std::vector<listed_message> chosen_messages(const broker_call& call, const std::string& queue);
// The same from these lists, which need not be an application's.
[[nodiscard]] std::vector<listed_message> chosen_aside(const broker_call& call,
                                                       const broker::broker_layout& layout,
                                                       const std::vector<std::string>& queues);
// The predicate of {"task", "id", "text"} members, of which all must fit.
[[nodiscard]] broker::inspector::element_predicate filter_of(const json::object& filter);

// Takes it out, or marks it where it lies too deep.
[[nodiscard]] change_result delete_message(const broker_call& call, const listed_message& message);
[[nodiscard]] change_result move_message(const broker_call& call, const listed_message& message,
                                         const std::string& queue, std::optional<std::int64_t> priority,
                                         broker::queue_end end);
[[nodiscard]] broker::queue_end end_of(const broker_call& call, broker::queue_end usual);
// Why it is not even tried: it was not found, or is so large that it must be forced.
[[nodiscard]] std::optional<change_result> refused_change(const broker_call& call,
                                                          const listed_message& message);
// A failure as the API tells it.
void refuse_failure(const change_result& result);

}  // namespace sidecar
