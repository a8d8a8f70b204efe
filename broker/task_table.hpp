#pragma once
// What is known of single tasks, from their messages and from Celery's events, by task id. Events come out of
// order (a task is started before its sending was told; a retry's second try starts before the first one's
// end is told), so a record takes each fact where it belongs and its state from whichever event counts as
// later: more retries, then further on its way. The least recently changed are forgotten first.

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/observer_views.hpp"

namespace broker {

// A text is cut to this in a record; the event itself is handed on whole.
inline constexpr std::size_t task_text_bytes_max = 2'000;

class task_table {
public:
    explicit task_table(std::size_t tasks_max) : tasks_max_(tasks_max) {}

    // The record of this id, made when unknown, and the most recently changed from now on.
    task_record& touch(const broker_id& broker, std::string_view id, std::int64_t at_us);
    // One event of group `task`. nullptr when it names no task.
    task_record* on_event(const broker_id& broker, std::string_view type, const boost::json::object& fields,
                          std::int64_t at_us);

    [[nodiscard]] const task_record* find(std::string_view id) const;
    [[nodiscard]] task_record* find(std::string_view id);
    [[nodiscard]] std::vector<task_record> recent(
        std::size_t limit, const std::function<bool(const task_record&)>& matches) const;
    [[nodiscard]] std::size_t size() const { return by_id_.size(); }
    [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }

private:
    using order = std::list<task_record>;  // most recently changed first

    std::size_t tasks_max_;
    order records_;
    std::unordered_map<std::string_view, order::iterator> by_id_;  // keys are views of the records' ids
    std::uint64_t forgotten_ = 0;
};

// Members of an event, absent when missing, null or of another type.
[[nodiscard]] std::string text_of(const boost::json::object& fields, std::string_view name);
[[nodiscard]] std::optional<double> number_of(const boost::json::object& fields, std::string_view name);
[[nodiscard]] std::optional<std::int64_t> integer_of(const boost::json::object& fields,
                                                     std::string_view name);

}  // namespace broker
