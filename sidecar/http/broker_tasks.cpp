// Where a task is, what it belongs to, what became of it; task types; live events.

#include <algorithm>

#include "broker/kombu_names.hpp"
#include "broker/workflow.hpp"
#include "sidecar/http/broker_changes.hpp"
#include "sidecar/http/broker_json.hpp"
#include "sidecar/http/broker_routes.hpp"
#include "sidecar/http/event_queue.hpp"

namespace sidecar {

namespace {

constexpr std::uint64_t result_bytes_max = 1U << 20;
constexpr std::size_t unacked_looked_at = 500;

json::value moment(std::optional<std::int64_t> at_us) {
    return at_us ? json::value(static_cast<double>(*at_us) / 1e6) : json::value(nullptr);
}

json::value text_or_null(const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(json_text(text));
}

json::object record_json(const broker_call& call, const broker::task_record& task) {
    json::object item;
    const auto& mask = call.control().mask();
    item["id"] = json_text(task.id);
    item["task"] = text_or_null(task.name);
    item["state"] = json_text(broker::to_text(task.state));
    item["queue"] = text_or_null(task.queue);
    item["worker"] = text_or_null(task.worker);
    item["tag"] = text_or_null(task.tag);
    item["root_id"] = text_or_null(task.root_id);
    item["parent_id"] = text_or_null(task.parent_id);
    item["args"] = text_or_null(mask.apply_to_repr(task.args));
    item["kwargs"] = text_or_null(mask.apply_to_repr(task.kwargs));
    item["outcome"] = text_or_null(task.result);
    item["exception"] = text_or_null(task.exception);
    item["traceback"] = text_or_null(task.traceback);
    item["eta"] = text_or_null(task.eta);
    item["expires"] = text_or_null(task.expires);
    item["retries"] = task.retries;
    item["deliveries"] = task.deliveries;
    item["sent_at"] = moment(task.sent_us);
    item["taken_at"] = moment(task.taken_us);
    item["received_at"] = moment(task.received_us);
    item["started_at"] = moment(task.started_us);
    item["finished_at"] = moment(task.finished_us);
    item["runtime_seconds"] = task.runtime_s ? json::value(*task.runtime_s) : json::value(nullptr);
    return item;
}

// What may stand before a result's key on this db: nothing, what results were told with, or the broker's own
// prefix, to which Celery adds an underscore where it ends with a letter.
std::vector<std::string> result_prefixes(const broker_call& call) {
    std::vector<std::string> prefixes{""};
    const auto learnt = call.control().observer().result_prefixes(call.id().db);
    prefixes.insert(prefixes.end(), learnt.begin(), learnt.end());
    const std::string& own = call.layout().prefix;
    if (!own.empty()) prefixes.insert(prefixes.end(), {own, own + "_"});
    return prefixes;
}

// The result that a Redis backend on the same db keeps; null where there is none.
json::value result_json(const broker_call& call, const std::string& id) {
    std::vector<broker::redis_command> questions;
    for (const auto& prefix : result_prefixes(call))
        questions.push_back({"STRLEN", broker::result_key(id, prefix)});
    const auto sizes = call.desk().redis.pipeline(questions);
    const auto found =
        std::find_if(sizes.begin(), sizes.end(), [](const auto& size) { return size.integer != 0; });
    if (found == sizes.end()) return nullptr;
    const auto& size = *found;
    const std::string& key = questions[static_cast<std::size_t>(found - sizes.begin())][1];
    if (static_cast<std::uint64_t>(size.integer) > result_bytes_max)
        return json::object{{"status", nullptr}, {"size_bytes", size.integer}, {"undecoded", "too large"}};
    const auto text = call.desk().redis.call({"GET", key});
    json::error_code ec;
    json::value value = json::parse(text.text, ec);
    if (ec || !value.is_object()) return json::object{{"status", nullptr}, {"undecoded", "not JSON"}};
    call.control().mask().apply(value);
    return value;
}

// How far the group of a chord has come, as its backend counts.
json::value group_json(const broker_call& call, const std::string& group, const std::string& prefix) {
    const auto keys = broker::group_result_keys(group, prefix);
    const std::vector<broker::redis_command> questions{
        {"ZCARD", keys.results}, {"GET", keys.size}, {"EXISTS", keys.meta}};
    const auto answers = call.desk().redis.pipeline(questions);
    if (answers[0].integer == 0 && answers[1].text.empty() && answers[2].integer == 0) return nullptr;
    json::object item{{"id", json_text(group)}, {"done", answers[0].integer}};
    const auto size =
        answers[1].text.empty() ? std::nullopt : std::optional(std::atoll(answers[1].text.c_str()));
    item["size"] = size ? json::value(*size) : json::value(nullptr);
    item["missing"] =
        size ? json::value(std::max<std::int64_t>(0, *size - answers[0].integer)) : json::value(nullptr);
    return item;
}

json::value group_json(const broker_call& call, const std::string& group) {
    if (group.empty()) return nullptr;
    for (const auto& prefix : result_prefixes(call)) {
        auto found = group_json(call, group, prefix);
        if (!found.is_null()) return found;
    }
    return nullptr;
}

json::value workflow_json(const broker_call& call, std::string_view element) {
    const auto flow = broker::read_workflow(broker::decode(element));
    if (flow.empty()) return nullptr;
    json::value shown(as_json(flow));
    call.control().mask().apply(shown);
    shown.as_object()["group"] = group_json(call, flow.group_id);
    return shown;
}

std::int64_t ahead_of(const broker_call& call, const listed_message& message) {
    std::int64_t ahead = message.position - 1;
    for (const int step : call.layout().steps) {
        if (step >= message.step) break;
        ahead += call.desk().redis.call({"LLEN", call.layout().list_key(message.queue, step)}).integer;
    }
    return ahead;
}

void add_waiting(const broker_call& call, const listed_message& message, json::object& task,
                 json::array& messages) {
    json::object item = message_json(call, message, body_view::decoded);
    item["where"] = "queued";
    task["where"] = "queued";
    task["queue"] = json_text(message.queue);
    task["position"] = message.position;
    task["ahead"] = ahead_of(call, message);
    task["workflow"] = workflow_json(call, message.element);
    messages.push_back(std::move(item));
}

// Looks among what workers hold: by the tag that passed by, else a bounded piece of the hash.
bool add_held(const broker_call& call, const std::string& id, const std::string& tag, json::object& task,
              json::array& messages) {
    std::vector<broker::unacked_item> items;
    if (!tag.empty())
        if (auto item = call.desk().unacked.find(call.layout(), tag)) items.push_back(std::move(*item));
    if (items.empty()) items = call.desk().unacked.page(call.layout(), "", unacked_looked_at).items;
    for (const auto& each : items) {
        const auto entry = broker::read_unacked(each.value);
        if (!entry || entry->message.head.id != id) continue;
        json::object item = unacked_json(call, each, body_view::decoded);
        item["where"] = "unacked";
        task["where"] = "unacked";
        task["queue"] = item["queue"];
        task["workflow"] = workflow_json(call, entry->element);
        if (const auto* state = item.if_contains("state"); state != nullptr) task["unacked_state"] = *state;
        messages.push_back(std::move(item));
        return true;
    }
    return false;
}

void find_waiting(const broker_call& call, const std::string& id, const std::string& tag, json::object& task,
                  json::array& messages) {
    if (!tag.empty())
        if (const auto message = call.desk().inspector.locate(call.layout(), tag, call.queues()))
            return add_waiting(call, *message, task, messages);
    const auto wanted = [&](const listed_message& message) {
        if (message.element.find(id) == std::string::npos) return false;
        const auto envelope = broker::read_envelope(message.element);
        return envelope && envelope->head.id == id;
    };
    const auto found = call.desk().inspector.search(call.layout(), call.queues(), wanted, "", 5);
    for (const auto& message : found.items) add_waiting(call, message, task, messages);
    task["searched_completely"] = !found.next.has_value();
}

http_response show_task(const broker_call& call) {
    const std::string& id = call.path(0);
    const auto* record = call.control().observer().task(id);
    json::object task;
    if (record != nullptr) task = record_json(call, *record);
    const std::string tag = record != nullptr ? record->tag : std::string();
    task["id"] = json_text(id);
    if (!task.contains("task")) task["task"] = nullptr;
    if (!task.contains("state")) task["state"] = "unknown";
    task["where"] = "unknown";
    json::array messages;
    if (!add_held(call, id, tag, task, messages)) find_waiting(call, id, tag, task, messages);
    task["result"] = result_json(call, id);
    if (task["where"] == "unknown" &&
        (task["result"].is_object() || (record != nullptr && record->finished_us)))
        task["where"] = "done";
    if (!messages.empty() && task["task"].is_null())
        if (const auto* name = messages[0].get_object().if_contains("task")) task["task"] = *name;
    if (task["state"] == "unknown" && task["where"] == "queued") task["state"] = "sent";
    task["revoked"] = call.desk().rules.find(broker::rule_kind::revoke, id) != nullptr;
    if (messages.empty() && record == nullptr && task["result"].is_null())
        throw api_refusal{404,
                          "no message, event or result of this task was found; a message deep in a long "
                          "queue is found by GET /api/v1/messages?id= page by page"};
    task["messages"] = std::move(messages);
    return json_response(task);
}

http_response list_tasks(const broker_call& call) {
    const auto limit = static_cast<std::size_t>(call.number("limit", 50, 1, 500));
    const std::string name = call.query("task").value_or("");
    const std::string state = call.query("state").value_or("");
    const std::string worker = call.query("worker").value_or("");
    const auto id = call.id();
    const auto found = call.control().observer().tasks(limit, [&](const broker::task_record& task) {
        return task.broker == id && (name.empty() || task.name == name) &&
               (state.empty() || broker::to_text(task.state) == state) &&
               (worker.empty() || task.worker == worker);
    });
    json::array items;
    for (const auto& task : found) items.push_back(record_json(call, task));
    return json_response(page_json(std::move(items), std::nullopt));
}

http_response list_task_types(const broker_call& call) {
    const auto& rules = call.desk().rules;
    json::array items;
    for (const auto& type : call.control().observer().task_types()) {
        if (type.broker != call.id()) continue;
        json::object item{{"name", json_text(type.name)}, {"queue", json_text(type.queue)}};
        item["sent"] = type.sent;
        item["delivered"] = type.taken;
        item["acknowledged"] = type.acked;
        item["in_per_second"] = type.last_60s.in_per_second;
        item["out_per_second"] = type.last_60s.out_per_second;
        item["wait_seconds_mean"] = type.wait.count == 0
                                        ? json::value(nullptr)
                                        : json::value(type.wait.sum / static_cast<double>(type.wait.count));
        item["bytes_max"] = type.bytes_max;
        item["held"] = rules.find(broker::rule_kind::hold, type.name) != nullptr;
        item["revoked"] = rules.find(broker::rule_kind::revoke_task, type.name) != nullptr;
        const auto* rate = rules.find(broker::rule_kind::task_rate, type.name);
        item["rate"] = rate == nullptr ? json::value(nullptr) : json::value(rate->per_second);
        items.push_back(std::move(item));
    }
    return json_response(page_json(std::move(items), std::nullopt));
}

// Messages that workers hold until their time comes, and waiting ones that say when.
http_response list_scheduled(const broker_call& call) {
    const auto limit = static_cast<std::size_t>(call.number("limit", 50, 1, 500));
    const auto page = call.desk().unacked.page(call.layout(), call.query("cursor").value_or(""), limit);
    if (!page.error.empty()) throw api_refusal{503, "Redis: " + page.error};
    json::array items;
    for (const auto& each : page.items) {
        const auto entry = broker::read_unacked(each.value);
        if (!entry || entry->message.head.eta.empty()) continue;
        items.push_back(unacked_json(call, each, body_view::head));
    }
    return json_response(page_json(std::move(items), page.next));
}

http_response stream_events(const broker_call& call) {
    std::set<std::string, std::less<>> topics;
    if (const auto wanted = call.query("topics"); wanted && !wanted->empty())
        for (std::size_t begin = 0; begin <= wanted->size();) {
            const std::size_t end = std::min(wanted->find(',', begin), wanted->size());
            if (end > begin) topics.insert(wanted->substr(begin, end - begin));
            begin = end + 1;
        }
    const std::string last(call.request().last_event_id);
    http_response response;
    response.content_type = "text/event-stream";
    response.events =
        call.control().events().subscribe(std::move(topics), std::strtoull(last.c_str(), nullptr, 10));
    if (response.events == nullptr) throw api_refusal{503, "too many event streams are open"};
    response.body = "retry: 2000\n\n";
    return response;
}

}  // namespace

void add_task_routes(http_routes& routes, broker_control& control) {
    const route_field limit{"limit", R"({"type":"integer","minimum":1,"maximum":500})", "Items at most"};
    const auto get = [&](std::string_view path, std::string_view summary, std::string_view schema,
                         broker_handler handler, std::vector<route_field> query = {}) {
        routes.add(broker_route(control, "GET", path, summary, schema, handler, std::move(query)));
    };
    get("/api/v1/tasks", "Tasks that passed by, the latest first", "Page", list_tasks,
        {{"task", R"({"type":"string"})", "Name"},
         {"state", R"({"type":"string"})", "sent, taken, received, started, retry, succeeded, failed, …"},
         {"worker", R"({"type":"string"})", "Node name"},
         limit});
    get("/api/v1/tasks/{id}", "Where a task is, what it belongs to, what became of it", "Task", show_task);
    get("/api/v1/task-types", "Task names with their figures and rules", "Page", list_task_types);
    get("/api/v1/scheduled", "What workers hold until its time comes", "Page", list_scheduled,
        {{"cursor", R"({"type":"string"})", "`next` of the page before"}, limit});
    auto events =
        broker_route(control, "GET", "/api/v1/events", "Live updates as server-sent events", "",
                     stream_events, {{"topics", R"({"type":"string"})", "Names, with commas between"}});
    events.media_type = "text/event-stream";
    routes.add(std::move(events));
}

}  // namespace sidecar
