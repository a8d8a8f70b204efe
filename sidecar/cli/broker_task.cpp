// Where one task is: its state, its message, its result, and the workflow it belongs to.

#include <array>

#include "sidecar/cli/broker_commands.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/cli/terminal.hpp"
#include "sidecar/cli/units.hpp"

namespace sidecar {

int search_messages(const invocation& call);  // broker_reads.cpp

namespace {

namespace json = boost::json;

constexpr std::array facts{
    member_column{"Id", "id"},
    member_column{"Task", "task"},
    member_column{"State", "state", shown_as::state},
    member_column{"Where", "where"},
    member_column{"Queue", "queue"},
    member_column{"Priority", "priority"},
    member_column{"Ahead of it", "ahead", shown_as::count},
    member_column{"Worker", "worker"},
    member_column{"Retries", "retries", shown_as::count},
    member_column{"Deliveries", "deliveries", shown_as::count},
    member_column{"Sent", "sent_at", shown_as::moment},
    member_column{"Received", "received_at", shown_as::moment},
    member_column{"Started", "started_at", shown_as::moment},
    member_column{"Finished", "finished_at", shown_as::moment},
    member_column{"Ran for", "runtime_seconds", shown_as::duration},
    member_column{"ETA", "eta"},
    member_column{"Expires", "expires"},
    member_column{"Delivered again in", "redelivered_in_seconds", shown_as::duration},
    member_column{"Tag", "tag"},
    member_column{"Arguments", "argsrepr"},
    member_column{"Keywords", "kwargsrepr"},
    member_column{"Root", "root_id"},
    member_column{"Parent", "parent_id"},
    member_column{"Group", "group_id"},
    member_column{"Exception", "exception"},
};

std::string workflow_text(const json::value& workflow) {
    const json::value* nodes = member(workflow, "nodes");
    if (nodes == nullptr || !nodes->is_array() || nodes->get_array().size() < 2) return {};
    static constexpr std::array columns{
        member_column{"TASK", "task", shown_as::text, cell_width::may_shrink},
        member_column{"AS", "role"},
        member_column{"STATE", "state", shown_as::state},
        member_column{"WHERE", "where"},
        member_column{"ID", "id"},
    };
    std::string text = "\n" + styled("Workflow", text_style::bold) + "\n" +
                       table_of(nodes->get_array(), columns).text(table_width());
    if (const double missing = number_of(workflow, "missing"); missing > 0)
        text += styled(count_text(static_cast<std::int64_t>(missing)) + " of it still missing",
                       text_style::warning) +
                "\n";
    return text;
}

std::string task_text(const json::value& task) {
    std::string text = facts_of(task, facts);
    if (const json::value* result = member(task, "result")) {
        static constexpr std::array result_facts{
            member_column{"Result state", "status", shown_as::state},
            member_column{"Result", "result"},
            member_column{"Done", "date_done"},
        };
        text += result->is_object() ? facts_of(*result, result_facts)
                                    : "Result  " + cell_of(task, {"", "result"}).text + "\n";
        for (const std::string& line : {text_of(*result, "traceback")})
            if (!line.empty())
                text += "\n" + styled("Traceback", text_style::bold) + "\n" + shown(line) + "\n";
    }
    if (const json::value* workflow = member(task, "workflow")) text += workflow_text(*workflow);
    return text;
}

}  // namespace

int run_task(const invocation& call) {
    const bool searches = call.has("--name") || call.has("--text");
    if (call.words().empty() == !searches) bad_usage("an ID, --name NAME or --text TEXT is needed");
    if (searches) return search_messages(call);
    const std::string path = "/tasks/" + percent_encoded(call.word(0));
    return show(
        call, [&](const api_client& client) { return client.get(path); }, task_text);
}

}  // namespace sidecar
