// Queues, messages, unacknowledged ones, findings, audit: what is only looked at.

#include <array>
#include <boost/json/array.hpp>

#include "sidecar/cli/broker_commands.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/cli/terminal.hpp"
#include "sidecar/cli/units.hpp"

namespace sidecar {
namespace {

namespace json = boost::json;

constexpr std::array queue_columns{
    member_column{"QUEUE", "name", shown_as::text, cell_width::may_shrink},
    member_column{"STATE", "state", shown_as::state},
    member_column{"READY", "ready", shown_as::count},
    member_column{"UNACKED", "unacked", shown_as::count},
    member_column{"OLDEST", "oldest_seconds", shown_as::duration},
    member_column{"IN/s", "in_per_second", shown_as::rate},
    member_column{"OUT/s", "out_per_second", shown_as::rate},
    member_column{"ACK/s", "ack_per_second", shown_as::rate},
    member_column{"CONSUMERS", "consumers", shown_as::count},
    member_column{"BY PRIORITY", "ready_by_priority", shown_as::priority},
};

constexpr std::array queue_facts{
    member_column{"Queue", "name"},
    member_column{"Prefix", "prefix"},
    member_column{"Database", "db"},
    member_column{"State", "state", shown_as::state},
    member_column{"Rate at most", "rate", shown_as::rate},
    member_column{"Ready", "ready", shown_as::count},
    member_column{"  by priority", "ready_by_priority", shown_as::priority},
    member_column{"Unacknowledged", "unacked", shown_as::count},
    member_column{"  by state", "unacked_by_state", shown_as::priority},
    member_column{"Oldest waits for", "oldest_seconds", shown_as::duration},
    member_column{"In per second", "in_per_second", shown_as::rate},
    member_column{"Out per second", "out_per_second", shown_as::rate},
    member_column{"Acknowledged per second", "ack_per_second", shown_as::rate},
    member_column{"Consumers", "consumers", shown_as::count},
    member_column{"Dead letters", "dead", shown_as::count},
    member_column{"Put aside", "held", shown_as::count},
};

constexpr std::array message_columns{
    member_column{"POS", "position", shown_as::count},
    member_column{"PRIO", "priority", shown_as::text},
    member_column{"TASK", "task", shown_as::text, cell_width::may_shrink},
    member_column{"ARGS", "argsrepr", shown_as::text, cell_width::may_shrink},
    member_column{"KWARGS", "kwargsrepr", shown_as::text, cell_width::may_shrink},
    member_column{"AGE", "age_seconds", shown_as::duration},
    member_column{"RETRIES", "retries", shown_as::count},
    member_column{"SIZE", "size_bytes", shown_as::bytes},
    member_column{"TAG", "tag"},
};

constexpr std::array found_columns{
    member_column{"QUEUE", "queue", shown_as::text, cell_width::may_shrink},
    member_column{"TASK", "task", shown_as::text, cell_width::may_shrink},
    member_column{"ARGS", "argsrepr", shown_as::text, cell_width::may_shrink},
    member_column{"AGE", "age_seconds", shown_as::duration},
    member_column{"ID", "id"},
    member_column{"TAG", "tag"},
};

constexpr std::array message_facts{
    member_column{"Tag", "tag"},
    member_column{"Task", "task"},
    member_column{"Id", "id"},
    member_column{"Queue", "queue"},
    member_column{"Priority", "priority"},
    member_column{"Position", "position", shown_as::count},
    member_column{"Age", "age_seconds", shown_as::duration},
    member_column{"ETA", "eta", shown_as::moment},
    member_column{"Expires", "expires", shown_as::moment},
    member_column{"Retries", "retries", shown_as::count},
    member_column{"Redelivered", "redelivered", shown_as::flag},
    member_column{"Deliveries", "deliveries", shown_as::count},
    member_column{"Root", "root_id"},
    member_column{"Parent", "parent_id"},
    member_column{"Group", "group_id"},
    member_column{"Origin", "origin"},
    member_column{"Content type", "content_type"},
    member_column{"Compression", "compression"},
    member_column{"Size", "size_bytes", shown_as::bytes},
    member_column{"Not decoded", "undecoded"},
};

constexpr std::array unacked_columns{
    member_column{"STATE", "state", shown_as::state},
    member_column{"TASK", "task", shown_as::text, cell_width::may_shrink},
    member_column{"QUEUE", "queue", shown_as::text, cell_width::may_shrink},
    member_column{"WORKER", "owner.node", shown_as::text, cell_width::may_shrink},
    member_column{"OWNER", "owner.state", shown_as::state},
    member_column{"TAKEN", "taken_seconds", shown_as::duration},
    member_column{"REDELIVERY IN", "redelivered_in_seconds", shown_as::duration},
    member_column{"ID", "id"},
    member_column{"TAG", "tag"},
};

constexpr std::array audit_columns{
    member_column{"WHEN", "at", shown_as::moment},
    member_column{"BY", "by", shown_as::text, cell_width::may_shrink},
    member_column{"WHAT", "action"},
    member_column{"QUEUE", "queue", shown_as::text, cell_width::may_shrink},
    member_column{"TO", "to", shown_as::text, cell_width::may_shrink},
    member_column{"TAG", "tag"},
    member_column{"COUNT", "count", shown_as::count},
    member_column{"REASON", "reason", shown_as::text, cell_width::may_shrink},
    member_column{"UNDO", "undo"},
};

std::string limit_of(const invocation& call) {
    const auto limit = number_option(call, "--limit", 1, 500);
    return limit ? std::to_string(*limit) : std::string();
}

std::string page_text(const json::value& answer, std::span<const member_column> columns,
                      std::string_view when_empty) {
    const text_table table = table_of(items_of(answer), columns);
    std::string text = table.empty() ? std::string(when_empty) + "\n" : table.text(table_width());
    if (const std::string next = text_of(answer, "next"); !next.empty())
        text += styled("more: --cursor " + shown(next), text_style::dim) + "\n";
    return text;
}

std::string message_text(const json::value& message) {
    std::string text = facts_of(message, message_facts);
    for (const std::string_view part : {"args", "kwargs", "embed", "body", "headers", "properties"}) {
        const json::value* value = member(message, part);
        if (value == nullptr) value = member(message, std::string(part) + "repr");
        if (value == nullptr) continue;
        const std::string body = value->is_string() ? shown(text_of(*value, "")) : json_text(*value);
        text += styled(part, text_style::bold) + "\n" + body + "\n";
    }
    return text;
}

std::string findings_text(const json::value& answer) {
    const json::array& items = items_of(answer);
    if (items.empty())
        return styled("Nothing is wrong, as far as this sidecar can see.", text_style::good) + "\n";
    std::string text;
    for (const json::value& item : items) {
        const table_cell severity = cell_of(item, {"", "severity", shown_as::state});
        text += (text.empty() ? "" : "\n") + styled(severity.text, severity.style) + "  " +
                styled(shown(text_of(item, "title")), text_style::bold) + "\n";
        if (const std::string subject = text_of(item, "subject"); !subject.empty())
            text += "  at       " + shown(subject) + "\n";
        text += "  evidence " + cell_of(item, {"", "evidence", shown_as::list}).text + "\n";
        text += "  remedy   " + shown(text_of(item, "remedy")) + "\n";
    }
    return text;
}

}  // namespace

int run_queues(const invocation& call) {
    const std::string name = call.word(0);
    if (name.empty())
        return show(
            call, [](const api_client& client) { return client.get("/queues"); },
            [](const json::value& answer) {
                return page_text(answer, queue_columns, "No queues are known.");
            });
    const std::string path = "/queues/" + percent_encoded(name);
    return show(
        call, [&](const api_client& client) { return client.get(path); },
        [](const json::value& answer) { return facts_of(answer, queue_facts); });
}

int run_peek(const invocation& call) {
    const std::string messages = "/queues/" + percent_encoded(call.word(0)) + "/messages";
    if (call.words().size() == 2) {
        const std::string one = "/messages/" + percent_encoded(call.word(1));
        if (call.has("--raw")) {
            const api_answer raw = client_of(call).call(
                "GET", "/messages/" + percent_encoded(call.word(1)) + "/raw", std::nullopt);
            if (!raw.good()) throw failure_of(raw);
            print_text(raw.text);
            return exit_status::good;
        }
        return show(
            call, [&](const api_client& client) { return client.get(one); }, message_text);
    }
    if (call.has("--raw")) bad_usage("--raw needs a TAG");
    const std::string path = messages + query_of({{"limit", limit_of(call)},
                                                  {"cursor", call.value("--cursor").value_or("")},
                                                  {"order", call.has("--newest") ? "newest" : ""}});
    return show(
        call, [&](const api_client& client) { return client.get(path); },
        [](const json::value& answer) { return page_text(answer, message_columns, "The queue is empty."); });
}

int search_messages(const invocation& call) {
    const std::string path = "/messages" + query_of({{"task", call.value("--name").value_or("")},
                                                     {"text", call.value("--text").value_or("")},
                                                     {"limit", limit_of(call)},
                                                     {"cursor", call.value("--cursor").value_or("")}});
    return show(
        call, [&](const api_client& client) { return client.get(path); },
        [](const json::value& answer) { return page_text(answer, found_columns, "Nothing found so far."); });
}

int list_aside(const invocation& call, std::string_view what) {
    const std::string path = "/" + std::string(what) +
                             query_of({{"queue", call.word(0)},
                                       {"limit", limit_of(call)},
                                       {"cursor", call.value("--cursor").value_or("")}});
    return show(
        call, [&](const api_client& client) { return client.get(path); },
        [](const json::value& answer) { return page_text(answer, found_columns, "There are none."); });
}

int run_unacked(const invocation& call) {
    const std::string path = "/unacked" + query_of({{"state", call.value("--state").value_or("")},
                                                    {"limit", limit_of(call)},
                                                    {"cursor", call.value("--cursor").value_or("")}});
    return show(
        call, [&](const api_client& client) { return client.get(path); },
        [](const json::value& answer) {
            return page_text(answer, unacked_columns, "No worker holds a message.");
        });
}

int run_findings(const invocation& call) {
    bool critical = false;
    const int status = show(
        call,
        [&](const api_client& client) {
            json::value answer = client.get("/findings");
            for (const json::value& item : items_of(answer))
                critical = critical || text_of(item, "severity") == "critical";
            return answer;
        },
        findings_text);
    return critical && call.has("--check") ? exit_status::failed : status;
}

int run_audit(const invocation& call) {
    const std::string path =
        "/audit" + query_of({{"limit", limit_of(call)}, {"cursor", call.value("--cursor").value_or("")}});
    return show(
        call, [&](const api_client& client) { return client.get(path); },
        [](const json::value& answer) {
            return page_text(answer, audit_columns, "Nothing was changed yet.");
        });
}

}  // namespace sidecar
