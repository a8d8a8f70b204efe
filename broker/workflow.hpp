#pragma once
// What a task is part of, as its own message tells: the rest of its chain, the chord it counts for,
// callbacks. Where the other tasks are, and what is missing, the inspector finds by the names given here.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/decode.hpp"

namespace broker {

// A signature: a task that is to be sent later.
struct signature {
    std::string task;
    std::string id;
    std::string group_id;
    std::string queue;
    std::string subtask_type;  // chain, group, chord: a composite; empty for a plain task
    boost::json::value args;
    boost::json::value kwargs;
    bool immutable = false;
    std::optional<std::int64_t> chord_size;
    std::vector<signature> parts;  // of a composite, in the order they run
};

struct workflow {
    std::vector<signature> chain;  // what runs after this task, next first (messages hold it reversed)
    std::vector<signature> callbacks;
    std::vector<signature> errbacks;
    std::optional<signature> chord;  // runs when all members of the group are done
    std::string root_id;
    std::string parent_id;
    std::string group_id;
    std::optional<std::int64_t> group_index;

    [[nodiscard]] bool empty() const {
        return chain.empty() && callbacks.empty() && errbacks.empty() && !chord && group_id.empty() &&
               parent_id.empty();
    }
};

[[nodiscard]] workflow read_workflow(const decoded_message& message);
[[nodiscard]] boost::json::object as_json(const workflow& flow);
[[nodiscard]] boost::json::object as_json(const signature& part);

// One member of the sorted set celery-taskset-meta-<group>.j: [1, id, state, result].
struct group_result {
    std::string id;
    std::string state;
    boost::json::value result;
};
[[nodiscard]] std::optional<group_result> read_group_result(std::string_view member,
                                                            const value_limits& limits = {});

// The value of celery-task-meta-<id>, in whichever serializer the backend uses. Null when it is none.
struct task_result {
    std::string id;
    std::string state;
    boost::json::object fields;  // all of it: result, traceback, children, date_done, worker, …
};
[[nodiscard]] std::optional<task_result> read_task_result(std::string_view value,
                                                          const value_limits& limits = {});

}  // namespace broker
