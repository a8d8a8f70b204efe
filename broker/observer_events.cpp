// Celery's events, as PUBLISH carries them: a kombu message whose body is one event or a list of them.

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <utility>

#include "broker/celery_event.hpp"
#include "broker/observer_state.hpp"

namespace broker {
namespace {

namespace json = boost::json;

node_news news_of(std::string_view type, const json::object& fields) {
    node_news news;
    news.type = type;
    news.timestamp = number_of(fields, "timestamp");
    news.freq = number_of(fields, "freq");
    news.pid = integer_of(fields, "pid");
    news.active = integer_of(fields, "active");
    news.processed = integer_of(fields, "processed");
    news.clock = integer_of(fields, "clock");
    if (const auto* const load = fields.if_contains("loadavg"); load != nullptr && load->is_array()) {
        for (const json::value& each : load->get_array()) {
            if (each.is_number() && news.load.size() < 3) news.load.push_back(each.to_number<double>());
        }
    }
    const std::string ident = text_of(fields, "sw_ident");
    if (!ident.empty()) news.software = ident + " " + text_of(fields, "sw_ver");
    news.system = text_of(fields, "sw_sys");
    return news;
}

void take_event(observer::state& at, const broker_id& broker, const json::object& fields, client_record& by,
                std::int64_t at_us) {
    const std::string type = text_of(fields, "type");
    const std::string node = text_of(fields, "hostname");
    ++at.counts.events;
    if (type.empty() || node.empty() || node.size() > 255) {
        ++at.counts.unreadable_events;
        return;
    }
    // A producer sends task-sent under a name of its own; everything else comes from the worker named.
    if (type != "task-sent") {
        if (type != "worker-offline") at.workers.tie_node(by, broker, node);
        at.workers.node_heard(broker, node, news_of(type, fields), at_us);
    }
    if (type.starts_with("task-")) {
        if (task_record* const task = at.tasks.on_event(broker, type, fields, at_us)) {
            const auto* const held = task->tag.empty() ? nullptr : at.unacked.find(task->tag);
            if (type != "task-sent" && held != nullptr && held->client() != 0) {
                at.workers.tie_clients(held->client(), by.id);
            }
            at.celery.count(type, *task);
            const auto runtime = number_of(fields, "runtime");
            if (type == "task-succeeded" && runtime) at.celery.ran(*task, *runtime);
        }
    }
    if (at.sink) at.sink(broker, type, json::serialize(fields));
}

}  // namespace

void observer::state::on_events(const broker_id& broker, const wire_note& note, client_record& by) {
    const read_events_result read = read_events(note.text);
    if (!read.error.empty()) ++counts.unreadable_events;
    for (const celery_event& each : read.events) take_event(*this, broker, each.fields, by, note.at_us);
}

}  // namespace broker
