// What was taken away can come back (undo), and what was sent can be kept from ever being delivered (revoke).

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "sidecar/cli/broker_commands.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/cli/terminal.hpp"
#include "sidecar/cli/units.hpp"

namespace sidecar {
namespace {

namespace json = boost::json;

int show_table(const invocation& call, const std::string& path, std::span<const member_column> columns,
               const std::string& when_empty) {
    return show(
        call, [&](const api_client& client) { return client.get(path); },
        [&](const json::value& answer) {
            const text_table table = table_of(items_of(answer), columns);
            return table.empty() ? when_empty + "\n" : table.text(table_width());
        });
}

int list_trash(const invocation& call) {
    static constexpr std::array columns{
        member_column{"ID", "id"},
        member_column{"WHEN", "at", shown_as::moment},
        member_column{"WHAT", "kind"},
        member_column{"QUEUE", "queue", shown_as::text, cell_width::may_shrink},
        member_column{"TASK", "message.task", shown_as::text, cell_width::may_shrink},
        member_column{"COUNT", "count", shown_as::count},
        member_column{"BY", "by", shown_as::text, cell_width::may_shrink},
    };
    const auto limit = number_option(call, "--limit", 1, 500);
    return show_table(call,
                      "/trash" + query_of({{"limit", limit ? std::to_string(*limit) : ""},
                                           {"cursor", call.value("--cursor").value_or("")}}),
                      columns, "The trash is empty.");
}

int list_revoked(const invocation& call) {
    static constexpr std::array columns{
        member_column{"WHAT", "kind"},
        member_column{"VALUE", "subject", shown_as::text, cell_width::may_shrink},
        member_column{"SINCE", "at", shown_as::moment},
        member_column{"UNTIL", "expires", shown_as::moment},
        member_column{"BY", "by", shown_as::text, cell_width::may_shrink},
        member_column{"REASON", "reason", shown_as::text, cell_width::may_shrink},
    };
    return show_table(call, "/revoked", columns, "Nothing is revoked.");
}

struct step {
    std::string path;
    json::object body;
    std::string name;
};

std::vector<step> steps_of(const invocation& call) {
    std::vector<step> steps;
    for (const std::string& id : call.words())
        steps.push_back({"/tasks/" + percent_encoded(id) + "/revoke", {}, "task " + shown(id)});
    for (const std::string& task : call.values("--task"))
        steps.push_back({"/task-types/" + percent_encoded(task) + "/revoke", {}, "every " + shown(task)});
    for (const std::string& stamp : call.values("--stamp")) {
        const std::size_t equals = stamp.find('=');
        if (equals == std::string::npos || equals == 0) bad_usage("--stamp NAME=VALUE is meant");
        steps.push_back({"/revoked",
                         {{"stamp", stamp.substr(0, equals)}, {"value", stamp.substr(equals + 1)}},
                         "what is stamped " + shown(stamp)});
    }
    return steps;
}

}  // namespace

int run_undo(const invocation& call) {
    if (call.words().empty()) return list_trash(call);
    const api_client client = client_of(call);
    for (const std::string& id : call.words()) {
        const json::value answer = client.post("/trash/" + percent_encoded(id) + "/undo", json::object());
        const auto count = static_cast<std::int64_t>(number_of(answer, "changed"));
        print_text(call.has("--json")
                       ? json_text(answer) + "\n"
                       : count_text(count) + (count == 1 ? " message" : " messages") + " brought back\n");
    }
    return exit_status::good;
}

int run_revoke(const invocation& call) {
    if (call.has("--list")) return list_revoked(call);
    const bool remove = call.has("--remove");
    std::vector<step> steps = steps_of(call);
    if (steps.empty()) bad_usage("an ID, --task NAME or --stamp NAME=VALUE is needed");
    const bool broad = call.has("--task") || call.has("--stamp");
    if (!remove && broad && !call.has("--yes")) {
        const consent agreed = ask_for_consent("Throw away whatever is named so, whenever it is due?");
        if (agreed == consent::cannot_ask) bad_usage("nobody can be asked here; --yes agrees");
        if (agreed == consent::refused) throw command_failure(exit_status::refused, "nothing was changed");
    }
    const api_client client = client_of(call);
    for (step& one : steps) {
        if (const auto reason = call.value("--reason")) one.body["reason"] = *reason;
        if (remove) one.body["remove"] = true;
        const json::value answer = client.post(one.path, one.body);
        const char* done = remove ? " is delivered again\n" : " is revoked\n";
        print_text(call.has("--json") ? json_text(answer) + "\n" : one.name + done);
    }
    return exit_status::good;
}

}  // namespace sidecar
