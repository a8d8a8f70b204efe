// What changes queues and messages. Whoever destroys something sees the count first and agrees to it; the
// server refuses when it is another one by then.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <limits>

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

// What goes into the audit log beside who and when.
json::object with_reason(const invocation& call, json::object body = {}) {
    if (const auto reason = call.value("--reason")) body["reason"] = *reason;
    return body;
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
    const json::value* undos = member(answer, "undos");
    if (const json::value* undo = member(answer, "undo"))
        text += "; back with: sidecar undo " + cell_of(*undo, {"", "", shown_as::text}).text;
    else if (undos != nullptr && undos->is_array() && !undos->get_array().empty())
        text += "; back with: sidecar undo ID, one of those that sidecar undo lists";
    if (const double marked = number_of(answer, "marked"); marked > 0)
        text += "\n" + messages_text(marked) + " of them too deep to be touched now: it happens at delivery";
    if (const json::value* gone = member(answer, "gone");
        gone != nullptr && gone->is_array() && !gone->get_array().empty())
        text += "\n" + messages_text(static_cast<double>(gone->get_array().size())) + " had gone meanwhile";
    if (const double back = number_of(answer, "given_back"); back > 0)
        text += "; " + messages_text(back) + " that had been put aside came back";
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

std::size_t length_of(const json::value& answer, std::string_view name) {
    const json::value* list = member(answer, name);
    return list != nullptr && list->is_array() ? list->get_array().size() : 0;
}

// The server hands back after a while and tells how many are left: the next piece, added to `sum`. False when
// there are more by now than were agreed to.
bool go_on(const api_client& client, counted_change& change, json::value& sum) {
    const auto most = static_cast<std::int64_t>(number_of(sum, "left")) +
                      static_cast<std::int64_t>(length_of(sum, "errors"));
    change.body["expect"] = most;
    api_answer answer = client.call("POST", change.path, change.body);
    if (answer.status == 409) {  // workers take some meanwhile
        const json::value* count = member(answer.body, "count");
        if (count == nullptr || !count->is_number() || count->to_number<double>() > static_cast<double>(most))
            return false;
        change.body["expect"] = *count;
        answer = client.call("POST", change.path, change.body);
    }
    if (answer.status == 409) return false;
    if (!answer.good()) throw failure_of(answer);
    json::object& all = sum.as_object();
    const double changed = number_of(answer.body, "changed");
    for (const char* name : {"changed", "marked"})
        all[name] = static_cast<std::int64_t>(number_of(sum, name) + number_of(answer.body, name));
    for (const char* name : {"gone", "undos"})
        if (const json::value* more = member(answer.body, name); more != nullptr && more->is_array())
            for (const auto& each : more->get_array()) all[name].as_array().push_back(each);
    for (const char* name : {"left", "errors"})
        if (const json::value* latest = member(answer.body, name)) all[name] = *latest;
    all["undo"] = nullptr;
    return changed > 0;
}

// Asks the server how many it concerns, the user whether to go on, and the server to do it to as many.
int change_counted(const invocation& call, counted_change change) {
    constexpr int attempts_max = 20;  // a busy queue's count is another one each time
    const api_client client = client_of(call);
    change.body = with_reason(call, std::move(change.body));
    const auto expected = number_option(call, "--expect", 0, std::numeric_limits<std::int64_t>::max());
    if (expected) change.body["expect"] = *expected;
    api_answer answer = client.call("POST", change.path, change.body);
    for (int attempt = 0; attempt < attempts_max && !expected && answer.status == 409; ++attempt) {
        const json::value* count = member(answer.body, "count");
        if (count == nullptr || !count->is_number()) break;
        const std::string question =
            change.verb + " " + messages_text(count->to_number<double>()) + change.where + "?";
        if (count->to_number<double>() > 0) agree(call, question);
        change.body["expect"] = *count;
        answer = client.call("POST", change.path, change.body);
    }
    if (!answer.good()) throw failure_of(answer);
    while (number_of(answer.body, "left") > 0 && number_of(answer.body, "changed") > 0)
        if (!go_on(client, change, answer.body)) break;
    std::string line = messages_text(number_of(answer.body, "changed")) + " " + change.done + change.where;
    if (const double left = number_of(answer.body, "left"); left > 0)
        line += "; " + messages_text(left) + " are left, as the queue has changed: give the command again";
    return report(call, answer.body, line);
}

struct message_change {
    std::string_view action;  // of the path: "move"
    std::string verb;
    std::string done;
    json::object body;
};

// Each tag by itself: what fails for one does not keep the others from it.
int change_tags(const invocation& call, message_change change) {
    const api_client client = client_of(call);
    change.body = with_reason(call, std::move(change.body));
    if (call.has("--force")) change.body["force"] = true;
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

json::object filter_of(const invocation& call) {
    json::object filter;
    for (const std::string_view option : {"task", "id", "text"})
        if (const auto value = call.value("--" + std::string(option))) filter[option] = *value;
    return filter;
}

int change_messages(const invocation& call, message_change change) {
    const auto queue = call.value("--queue");
    if (queue.has_value() == !call.words().empty())
        bad_usage("either TAGs or --queue QUEUE are needed, and not both");
    if (!queue) {
        for (const std::string_view option : {"--task", "--id", "--text", "--expect"})
            if (call.has(option)) bad_usage(std::string(option) + " belongs to --queue");
        return change_tags(call, std::move(change));
    }
    change.body["filter"] = filter_of(call);
    return change_counted(call,
                          {"/queues/" + percent_encoded(*queue) + "/" + std::string(change.action),
                           std::move(change.body), change.verb, change.done, " of queue " + shown(*queue)});
}

// Dead letters and what was put aside: the tags that are named, what matches, or all.
int change_aside(const invocation& call, std::string_view what) {
    const bool requeues = call.has("--requeue");
    if (!requeues && !call.has("--delete")) return list_aside(call, what);
    if (requeues == call.has("--delete")) bad_usage("either --requeue or --delete");
    if (call.words().empty()) bad_usage("whose? A QUEUE is needed");
    counted_change change;
    change.path =
        "/" + std::string(what) + "/" + percent_encoded(call.word(0)) + (requeues ? "/requeue" : "/delete");
    change.verb = requeues ? "Requeue" : "Delete";
    change.done = requeues ? "requeued" : "deleted";
    change.where = " of queue " + shown(call.word(0));
    if (const auto target = call.value("--to")) change.body["to"] = *target;
    if (call.words().size() > 1) {
        json::array tags;
        for (std::size_t place = 1; place < call.words().size(); ++place)
            tags.emplace_back(call.words()[place]);
        change.body["tags"] = std::move(tags);
    } else {
        change.body["filter"] = filter_of(call);
    }
    return change_counted(call, std::move(change));
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
    const json::value answer = client_of(call).post(path + "/" + std::string(action), with_reason(call));
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
        const json::value answer =
            client_of(call).post(path + "/rate", with_reason(call, {{"rate", nullptr}}));
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
        client_of(call).post(path + "/rate", with_reason(call, {{"rate", per_second / seconds}}));
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
    if (front) body["end"] = "head";
    return change_messages(call,
                           {"requeue", "Requeue", front ? "put to the front" : "requeued", std::move(body)});
}

int run_delete(const invocation& call) {
    if (const auto queue = call.value("--delete-queue")) {
        if (!call.words().empty() || call.has("--queue")) bad_usage("--delete-queue stands alone");
        return change_counted(call, {"/queues/" + percent_encoded(*queue) + "/delete-queue",
                                     {},
                                     "Delete",
                                     "deleted",
                                     " and with them the queue " + shown(*queue)});
    }
    return change_messages(call, {"delete", "Delete", "deleted", {}});
}

int run_dead(const invocation& call) {
    return change_aside(call, "dead");
}

int run_held(const invocation& call) {
    return change_aside(call, "held");
}

int run_restore(const invocation& call) {
    agree(call, "Restore " + messages_text(static_cast<double>(call.words().size())) +
                    "? What a worker runs now runs a second time.");
    return change_tags(call, {"restore", "Restore", "restored", {}});
}

// The same message with other arguments, headers, queue or priority, under a new tag; the old one goes.
int run_edit(const invocation& call) {
    json::object body;
    const auto parsed = [&](std::string_view option) {
        boost::system::error_code ec;
        json::value value = json::parse(*call.value(option), ec);
        if (ec) bad_usage(std::string(option) + " is no JSON: " + ec.message());
        return value;
    };
    if (call.has("--args")) body["args"] = parsed("--args");
    if (call.has("--kwargs")) body["kwargs"] = parsed("--kwargs");
    if (call.has("--headers")) body["headers"] = parsed("--headers");
    if (const auto target = call.value("--to")) body["to"] = *target;
    if (const auto priority = number_option(call, "--priority", 0, 9)) body["priority"] = *priority;
    if (call.has("--front")) body["end"] = "head";
    if (body.empty())
        bad_usage("nothing to change is named: --args, --kwargs, --headers, --to or --priority");
    const json::value answer = client_of(call).post("/messages/" + percent_encoded(call.word(0)) + "/edit",
                                                    with_reason(call, std::move(body)));
    return report(call, answer, "sent again as " + shown(text_of(answer, "tag")));
}

int run_purge(const invocation& call) {
    const std::string queue = call.word(0);
    return change_counted(
        call,
        {"/queues/" + percent_encoded(queue) + "/purge", {}, "Purge", "purged", " of queue " + shown(queue)});
}

}  // namespace sidecar
