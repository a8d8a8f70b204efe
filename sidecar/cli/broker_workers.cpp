// Workers: seen, asked, told.

#include <array>
#include <boost/json/object.hpp>

#include "sidecar/cli/broker_commands.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/cli/terminal.hpp"

namespace sidecar {
namespace {

namespace json = boost::json;

constexpr std::array columns{
    member_column{"NODE", "node", shown_as::text, cell_width::may_shrink},
    member_column{"STATE", "state", shown_as::state},
    member_column{"ADDRESS", "address"},
    member_column{"QUEUES", "queues", shown_as::list, cell_width::may_shrink},
    member_column{"ACTIVE", "active", shown_as::count},
    member_column{"UNACKED", "unacked", shown_as::count},
    member_column{"PROCESSED", "processed", shown_as::count},
    member_column{"HEARTBEAT", "last_heartbeat_seconds", shown_as::duration},
    member_column{"ASKED", "last_poll_seconds", shown_as::duration},
    member_column{"SOFTWARE", "software"},
};

constexpr std::array facts{
    member_column{"Node", "node"},
    member_column{"State", "state", shown_as::state},
    member_column{"Address", "address"},
    member_column{"Pid", "pid"},
    member_column{"Queues", "queues", shown_as::list},
    member_column{"Active", "active", shown_as::count},
    member_column{"Holds unacknowledged", "unacked", shown_as::count},
    member_column{"Processed", "processed", shown_as::count},
    member_column{"Heartbeat before", "last_heartbeat_seconds", shown_as::duration},
    member_column{"Heartbeat every", "heartbeat_every_seconds", shown_as::duration},
    member_column{"Asked for work before", "last_poll_seconds", shown_as::duration},
    member_column{"Gone for", "gone_seconds", shown_as::duration},
    member_column{"Visibility timeout", "visibility_timeout_seconds", shown_as::duration},
    member_column{"Clock ahead by", "clock_skew_seconds", shown_as::duration},
    member_column{"Put back for it", "put_backs", shown_as::count},
    member_column{"Load", "load", shown_as::list},
    member_column{"Software", "software"},
    member_column{"System", "system"},
};

struct worker_action {
    std::string_view name;
    std::vector<std::string_view> values;  // members of the body, in the order of the words
    bool asks = false;
};

const worker_action& action_named(const std::string& name) {
    static const std::vector<worker_action> actions{
        {"ping", {}},
        {"stats", {}},
        {"active", {}},
        {"reserved", {}},
        {"scheduled", {}},
        {"shutdown", {}, true},
        {"kick", {}, true},
        {"pool-grow", {"n"}},
        {"pool-shrink", {"n"}},
        {"add-consumer", {"queue"}},
        {"cancel-consumer", {"queue"}},
        {"rate-limit", {"task", "rate"}},
    };
    for (const worker_action& action : actions)
        if (action.name == name) return action;
    bad_usage("a worker cannot be told to " + shown(name) + "; see sidecar workers --help");
}

json::object body_of(const invocation& call, const worker_action& action) {
    constexpr std::size_t first_value = 2;
    if (call.words().size() != first_value + action.values.size())
        bad_usage(std::string(action.name) + " takes " + std::to_string(action.values.size()) + " values");
    json::object body;
    for (std::size_t place = 0; place < action.values.size(); ++place) {
        const std::string& word = call.words()[first_value + place];
        if (action.values[place] != "n") {
            body[action.values[place]] = word;
            continue;
        }
        if (word.empty() || word.size() > 5 || word.find_first_not_of("0123456789") != std::string::npos)
            bad_usage("a number of processes is meant, not " + shown(word));
        body["n"] = std::stoi(word);
    }
    return body;
}

int act(const invocation& call) {
    const worker_action& action = action_named(call.word(1));
    const json::object body = body_of(call, action);
    if (action.asks && !call.has("--yes")) {
        const consent agreed =
            ask_for_consent("Tell " + shown(call.word(0)) + " to " + std::string(action.name) + "?");
        if (agreed == consent::cannot_ask) bad_usage("nobody can be asked here; --yes agrees");
        if (agreed == consent::refused) throw command_failure(exit_status::refused, "nothing was changed");
    }
    const json::value answer = client_of(call).post(
        "/workers/" + percent_encoded(call.word(0)) + "/" + std::string(action.name), body);
    print_text(json_text(answer) + "\n");
    return exit_status::good;
}

}  // namespace

int run_workers(const invocation& call) {
    if (call.words().size() > 1) return act(call);
    if (call.words().size() == 1) {
        const std::string path = "/workers/" + percent_encoded(call.word(0));
        return show(
            call, [&](const api_client& client) { return client.get(path); },
            [](const json::value& answer) { return facts_of(answer, facts); });
    }
    return show(
        call, [](const api_client& client) { return client.get("/workers"); },
        [](const json::value& answer) {
            const text_table table = table_of(items_of(answer), columns);
            return table.empty() ? "No workers were seen.\n" : table.text(table_width());
        });
}

}  // namespace sidecar
