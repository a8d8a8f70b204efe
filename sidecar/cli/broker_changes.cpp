// What changes queues and messages. Whoever destroys something sees the count first and agrees to it; the
// server refuses when it is another one by then.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "sidecar/cli/broker_commands.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/cli/terminal.hpp"
#include "sidecar/cli/units.hpp"

namespace sidecar {
namespace {

namespace json = boost::json;

void agree(const invocation& call, const std::string& question) {
    if (call.has("--yes")) return;
    switch (ask_for_consent(question)) {
        case consent::given:
            return;
        case consent::refused:
            throw command_failure(exit_status::refused, "nothing was changed");
        case consent::cannot_ask:
            break;
    }
    bad_usage(question + " Nobody can be asked here; --yes agrees");
}

std::string messages_text(double count) {
    const auto whole = static_cast<std::int64_t>(count);
    return count_text(whole) + (whole == 1 ? " message" : " messages");
}

int report(const invocation& call, const json::value& answer, const std::string& line) {
    if (call.has("--json")) {
        print_text(json_text(answer) + "\n");
        return exit_status::good;
    }
    std::string text = line;
    if (const json::value* undo = member(answer, "undo"))
        text += "; back with: sidecar undo " + cell_of(*undo, {"", "", shown_as::text}).text;
    print_text(text + "\n");
    if (const std::string note = text_of(answer, "note"); !note.empty()) print_text(shown(note) + "\n");
    return exit_status::good;
}

struct counted_change {
    std::string path;
    json::object body;
    std::string verb;   // "Delete"
    std::string done;   // "deleted"
    std::string where;  // " of queue mail"
};

// Asks the server how many it concerns, the user whether to go on, and the server to do it to as many.
int change_counted(const invocation& call, counted_change change) {
    constexpr int attempts_max = 20;  // a busy queue's count is another one each time
    const api_client client = client_of(call);
    const auto expected = number_option(call, "--expect", 0, std::numeric_limits<std::int64_t>::max());
    if (expected) change.body["expect"] = *expected;
    api_answer answer = client.call("POST", change.path, change.body);
    for (int attempt = 0; attempt < attempts_max && !expected && answer.status == 409; ++attempt) {
        const json::value* count = member(answer.body, "count");
        if (count == nullptr || !count->is_number()) break;
        const std::string question =
            change.verb + " " + messages_text(count->to_number<double>()) + change.where + "?";
        agree(call, question);
        change.body["expect"] = *count;
        answer = client.call("POST", change.path, change.body);
    }
    if (!answer.good()) throw failure_of(answer);
    return report(call, answer.body,
                  messages_text(number_of(answer.body, "changed")) + " " + change.done + change.where);
}

struct message_change {
    std::string_view action;  // of the path: "move"
    std::string verb;
    std::string done;
    json::object body;
};

// Each tag by itself: what fails for one does not keep the others from it.
int change_tags(const invocation& call, const message_change& change) {
    const api_client client = client_of(call);
    if (change.action == "delete")
        agree(call, change.verb + " " + messages_text(static_cast<double>(call.words().size())) + "?");
    int status = exit_status::good;
    json::array answers;
    for (const std::string& tag : call.words()) {
        const std::string path = "/messages/" + percent_encoded(tag) + "/" + std::string(change.action);
        const api_answer answer = client.call("POST", path, change.body);
        if (answer.good()) {
            if (call.has("--json"))
                answers.push_back(answer.body);
            else
                report(call, answer.body, shown(tag) + " " + change.done);
            continue;
        }
        const command_failure failure = failure_of(answer);
        if (call.words().size() == 1) throw failure;
        std::fprintf(stderr, "sidecar: %s: %s\n", shown(tag).c_str(), shown(failure.what()).c_str());
        status = failure.status();
    }
    if (call.has("--json")) print_text(json_text(answers.size() == 1 ? answers[0] : answers) + "\n");
    return status;
}

int change_messages(const invocation& call, message_change change) {
    const auto queue = call.value("--queue");
    if (queue.has_value() == !call.words().empty())
        bad_usage("either TAGs or --queue QUEUE are needed, and not both");
    if (!queue) {
        for (const std::string_view option : {"--task", "--text", "--expect"})
            if (call.has(option)) bad_usage(std::string(option) + " belongs to --queue");
        return change_tags(call, change);
    }
    for (const std::string_view option : {"task", "text"})
        if (const auto value = call.value("--" + std::string(option))) change.body[option] = *value;
    return change_counted(call,
                          {"/queues/" + percent_encoded(*queue) + "/" + std::string(change.action),
                           std::move(change.body), change.verb, change.done, " of queue " + shown(*queue)});
}

// The path of a queue or of a task name, and its name for people.
std::pair<std::string, std::string> subject_of(const invocation& call, std::size_t words) {
    const auto task = call.value("--task");
    if (call.words().size() + (task ? 1 : 0) != words) bad_usage("either a QUEUE or --task NAME is needed");
    if (task) return {"/task-types/" + percent_encoded(*task), "task " + shown(*task)};
    return {"/queues/" + percent_encoded(call.word(0)), "queue " + shown(call.word(0))};
}

int steer(const invocation& call, std::string_view action, const std::string& done) {
    const auto [path, name] = subject_of(call, 1);
    const json::value answer = client_of(call).post(path + "/" + std::string(action), json::object());
    return report(call, answer, name + " " + done);
}

}  // namespace

int run_pause(const invocation& call) {
    return steer(call, "pause", "is paused");
}
int run_resume(const invocation& call) {
    return steer(call, "resume", "goes on");
}
int run_drain(const invocation& call) {
    return steer(call, "drain", "is drained: what is sent to it is put aside until resume");
}

int run_rate(const invocation& call) {
    const auto [path, name] = subject_of(call, 2);
    const std::string rate = call.words().back();
    if (rate == "off") {
        const json::value answer = client_of(call).post(path + "/rate", json::object{{"rate", nullptr}});
        return report(call, answer, name + " has no rate any more");
    }
    std::size_t end = 0;
    double per_second = 0;
    try {
        per_second = std::stod(rate, &end);
    } catch (const std::exception&) {
        end = 0;
    }
    const std::string unit = rate.substr(end);
    const double seconds = unit.empty() || unit == "/s" ? 1 : unit == "/m" ? 60 : unit == "/h" ? 3600 : 0;
    if (end == 0 || seconds == 0 || !(per_second > 0) || per_second > 1e9)
        bad_usage("the rate " + shown(rate) + " is none: 10, 10/s, 30/m, 100/h or off are meant");
    const json::value answer =
        client_of(call).post(path + "/rate", json::object{{"rate", per_second / seconds}});
    return report(call, answer, name + " gives at most " + shown(rate));
}

int run_move(const invocation& call) {
    const auto target = call.value("--to");
    if (!target) bad_usage("--to QUEUE is needed");
    return change_messages(call, {"move", "Move", "moved to " + shown(*target), {{"to", *target}}});
}

int run_requeue(const invocation& call) {
    const bool front = call.has("--front");
    json::object body;
    if (front) body["front"] = true;
    return change_messages(call,
                           {"requeue", "Requeue", front ? "put to the front" : "requeued", std::move(body)});
}

int run_delete(const invocation& call) {
    if (const auto queue = call.value("--delete-queue")) {
        if (!call.words().empty() || call.has("--queue")) bad_usage("--delete-queue stands alone");
        return change_counted(call, {"/queues/" + percent_encoded(*queue) + "/delete-queue",
                                     {},
                                     "Delete the queue " + shown(*queue) + " with",
                                     "deleted with the queue",
                                     ""});
    }
    return change_messages(call, {"delete", "Delete", "deleted", {}});
}

int run_restore(const invocation& call) {
    agree(call, "Restore " + messages_text(static_cast<double>(call.words().size())) +
                    "? What runs already runs a second time then.");
    return change_tags(call, {"restore", "Restore", "restored", {}});
}

int run_purge(const invocation& call) {
    const std::string queue = call.word(0);
    return change_counted(
        call,
        {"/queues/" + percent_encoded(queue) + "/purge", {}, "Purge", "purged", " of queue " + shown(queue)});
}

int run_undo(const invocation& call) {
    if (!call.words().empty()) {
        const json::value answer =
            client_of(call).post("/trash/" + percent_encoded(call.word(0)) + "/undo", json::object());
        return report(call, answer, messages_text(number_of(answer, "changed")) + " brought back");
    }
    static constexpr std::array columns{
        member_column{"ID", "id"},
        member_column{"WHEN", "at", shown_as::moment},
        member_column{"WHAT", "action"},
        member_column{"QUEUE", "queue", shown_as::text, cell_width::may_shrink},
        member_column{"TASK", "task", shown_as::text, cell_width::may_shrink},
        member_column{"COUNT", "count", shown_as::count},
        member_column{"KEPT FOR", "kept_seconds", shown_as::duration},
    };
    return show(
        call, [](const api_client& client) { return client.get("/trash"); },
        [](const json::value& answer) {
            const text_table table = table_of(items_of(answer), columns);
            return table.empty() ? "The trash is empty.\n" : table.text(table_width());
        });
}

int run_revoke(const invocation& call) {
    const bool remove = call.has("--remove");
    if (call.has("--list")) {
        static constexpr std::array columns{member_column{"KIND", "kind"}, member_column{"VALUE", "value"},
                                            member_column{"SINCE", "at", shown_as::moment}};
        return show(
            call, [](const api_client& client) { return client.get("/revoked"); },
            [](const json::value& answer) {
                const text_table table = table_of(items_of(answer), columns);
                return table.empty() ? "Nothing is revoked.\n" : table.text(table_width());
            });
    }
    std::vector<std::pair<std::string, json::object>> posts;
    std::vector<std::string> names;
    const auto add = [&](const std::string& path, json::object body, const std::string& name) {
        if (remove) body["remove"] = true;
        posts.emplace_back(path, std::move(body));
        names.push_back(name);
    };
    for (const std::string& id : call.words())
        add("/tasks/" + percent_encoded(id) + "/revoke", {}, "task " + shown(id));
    for (const std::string& name : call.values("--task"))
        add("/task-types/" + percent_encoded(name) + "/revoke", {}, "every " + shown(name));
    for (const std::string& stamp : call.values("--stamp")) {
        const std::size_t equals = stamp.find('=');
        if (equals == std::string::npos || equals == 0) bad_usage("--stamp NAME=VALUE is meant");
        add("/revoked", {{"stamp", stamp.substr(0, equals)}, {"value", stamp.substr(equals + 1)}},
            "what is stamped " + shown(stamp));
    }
    if (posts.empty()) bad_usage("an ID, --task NAME or --stamp NAME=VALUE is needed");
    if (!remove && call.has("--task"))
        agree(call, "Throw away every message of the named tasks when it is due?");
    const api_client client = client_of(call);
    for (std::size_t place = 0; place < posts.size(); ++place) {
        const json::value answer = client.post(posts[place].first, posts[place].second);
        report(call, answer, names[place] + (remove ? " is delivered again" : " is revoked"));
    }
    return exit_status::good;
}

}  // namespace sidecar
