#include "sidecar/http/broker_changes.hpp"

#include <algorithm>

#include "broker/edit_envelope.hpp"
#include "broker/glance.hpp"
#include "broker/list_weight.hpp"

namespace sidecar {

namespace {

constexpr std::size_t chosen_max = 10'000;            // by one request
constexpr std::uint64_t looked_through_max = 50'000;  // of a queue, by one filter

std::string string_at(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains({name.data(), name.size()});
    if (value == nullptr || value->is_null()) return {};
    if (!value->is_string()) throw api_refusal{400, std::string(name) + " must be a string"};
    return {value->get_string().data(), value->get_string().size()};
}

std::vector<std::string> tags_of(const broker_call& call) {
    std::vector<std::string> tags;
    const auto* list = call.body().if_contains("tags");
    if (list == nullptr) return tags;
    if (!list->is_array() || list->get_array().size() > chosen_max)
        throw api_refusal{400, "tags must be an array of at most 10000 strings"};
    for (const auto& tag : list->get_array()) {
        if (!tag.is_string()) throw api_refusal{400, "tags must be strings"};
        tags.emplace_back(tag.get_string().data(), tag.get_string().size());
    }
    return tags;
}

void check_expected(const broker_call& call, std::size_t count, bool needed) {
    const auto expected = call.number_of("expect");
    if (!expected && !needed) return;
    if (!expected)
        throw api_refusal{
            409, "say how many with `expect`: it would be " + std::to_string(count), {{"count", count}}};
    if (*expected != static_cast<std::int64_t>(count))
        throw api_refusal{
            409, "there are " + std::to_string(count) + " now, not as many as expected", {{"count", count}}};
}

std::vector<listed_message> by_filter(const broker_call& call, const broker::broker_layout& layout,
                                      const std::vector<std::string>& queues, const json::object& filter) {
    const auto wanted = filter_of(filter);
    std::vector<listed_message> found;
    std::string cursor;
    std::uint64_t looked_at = 0;
    for (;;) {
        auto part = call.desk().inspector.search(layout, queues, wanted, cursor, chosen_max);
        if (!part.error.empty()) throw api_refusal{503, "Redis: " + part.error};
        looked_at += part.looked_at;
        found.insert(found.end(), std::make_move_iterator(part.items.begin()),
                     std::make_move_iterator(part.items.end()));
        if (!part.next) return found;
        if (looked_at > looked_through_max || found.size() > chosen_max)
            throw api_refusal{422,
                              "the queue is too long to be looked through at once: search it page by "
                              "page (GET /api/v1/messages) and name the tags"};
        cursor = *part.next;
    }
}

}  // namespace

broker::change_author author_of(const broker_call& call) {
    return {call.by(), call.text_of("reason"), call.control().now_us()};
}

void change_summary::add(const std::string& tag, const change_result& result) {
    switch (result.outcome) {
        case change_outcome::done:
            ++changed_;
            break;
        case change_outcome::marked:
            ++changed_;
            ++marked_;
            break;
        case change_outcome::gone:
        case change_outcome::count_differs:
            gone_.push_back(json_text(tag));
            break;
        case change_outcome::too_deep:
        case change_outcome::too_large:
        case change_outcome::failed:
            errors_.push_back(json::object{
                {"tag", json_text(tag)},
                {"error", result.error.empty() ? json::string("too deep") : json_text(result.error)}});
            break;
    }
    if (!result.undo.empty()) undo_.push_back(json_text(result.undo));
}

json::object change_summary::as_json() const {
    json::object body{{"changed", changed_}, {"marked", marked_}, {"gone", gone_}, {"errors", errors_}};
    body["undo"] = undo_.size() == 1 ? undo_[0] : json::value(nullptr);
    body["undos"] = undo_;
    return body;
}

broker::inspector::element_predicate filter_of(const json::object& filter) {
    const std::string task = string_at(filter, "task");
    const std::string id = string_at(filter, "id");
    const std::string text = string_at(filter, "text");
    return [task, id, text](const listed_message& message) {
        const std::string_view element = message.element;
        if (!id.empty() && element.find(id) == element.npos) return false;
        if (!text.empty() && element.find(text) == element.npos) return false;
        if (task.empty() && id.empty()) return true;
        const auto seen = broker::glance(element);
        if (!seen) return false;
        const auto& head = seen->head;
        if (!id.empty() && head.id != id && head.root_id != id && head.group_id != id && head.tag != id)
            return false;
        return task.empty() || head.task == task;
    };
}

std::vector<listed_message> chosen_messages(const broker_call& call, const std::string& queue) {
    return chosen_aside(call, call.layout(), {queue});
}

std::vector<listed_message> chosen_aside(const broker_call& call, const broker::broker_layout& layout,
                                         const std::vector<std::string>& queues) {
    const auto& body = call.body();
    json::object given;
    for (const char* name : {"task", "id", "text"})
        if (body.contains(name)) given[name] = body.at(name);
    if (!given.empty() || !body.contains("tags")) {
        if (const auto* inner = body.if_contains("filter"); inner != nullptr) {
            if (!inner->is_object()) throw api_refusal{400, "filter must be an object"};
            given = inner->get_object();
        }
        auto found = by_filter(call, layout, queues, given);
        check_expected(call, found.size(), true);
        return found;
    }
    if (body.contains("filter")) throw api_refusal{400, "either tags or a filter, not both"};
    const auto tags = tags_of(call);
    if (tags.empty()) throw api_refusal{400, "name messages by `tags` or choose them by a `filter`"};
    check_expected(call, tags.size(), tags.size() > 1);
    std::vector<listed_message> found;
    for (const auto& tag : tags) {
        auto message = call.desk().inspector.locate(layout, tag, queues);
        if (!message) {
            message.emplace();
            message->tag = tag;
            message->queue = queues.front();
            message->key = layout.list_key(queues.front(), 0);
        }
        found.push_back(std::move(*message));
    }
    return found;
}

std::optional<change_result> refused_change(const broker_call& call, const listed_message& message) {
    if (message.element.empty()) return change_result{change_outcome::gone, 0, {}, {}};
    if (!message.whole())
        return change_result{
            change_outcome::too_large,
            0,
            {},
            "its size would keep Redis busy: change it alone, by its tag, and say \"force\": true"};
    if (message.size <= broker::large_element_bytes || call.flag_of("force")) return std::nullopt;
    return change_result{
        change_outcome::too_large, 0, {}, "its size would keep Redis busy: say \"force\": true"};
}

broker::queue_end end_of(const broker_call& call, broker::queue_end usual) {
    if (call.flag_of("front")) return broker::queue_end::head;
    const std::string name = call.text_of("end");
    if (name.empty()) return usual;
    if (name == "head") return broker::queue_end::head;
    if (name == "tail") return broker::queue_end::tail;
    throw api_refusal{400, "end must be head (runs next) or tail"};
}

void refuse_failure(const change_result& result) {
    switch (result.outcome) {
        case change_outcome::done:
        case change_outcome::marked:
            return;
        case change_outcome::gone:
            throw api_refusal{404, result.error.empty() ? "it is not there any more" : result.error};
        case change_outcome::count_differs:
            throw api_refusal{
                409, "there are " + std::to_string(result.count) + " now", {{"count", result.count}}};
        case change_outcome::too_deep:
            throw api_refusal{409, "it lies too deep in its queue for this"};
        case change_outcome::too_large:
            throw api_refusal{409, result.error};
        case change_outcome::failed:
            throw api_refusal{503, "Redis: " + result.error};
    }
}

namespace {

// The shards know of the mark before the answer says so.
change_result mark_message(const broker_call& call, const listed_message& message, const std::string& target,
                           std::string_view action) {
    const auto author = author_of(call);
    broker::rule mark;
    mark.list = message.key;
    mark.target = target;
    mark.by = author.by;
    mark.reason = author.reason;
    mark.at = static_cast<double>(author.now_us) / 1e6;
    auto& desk = call.desk();
    auto result = desk.operations.mark(message, broker::field_of(broker::rule_kind::mark, message.tag),
                                       broker::text_of(mark), target.empty(), action, author);
    if (result.outcome != change_outcome::marked) return result;
    desk.rules.note(broker::rule_kind::mark, message.tag, mark);
    call.control().push_rules();
    return result;
}

}  // namespace

change_result delete_message(const broker_call& call, const listed_message& message) {
    if (auto refused = refused_change(call, message)) return std::move(*refused);
    auto result = call.desk().operations.remove(message, author_of(call));
    if (result.outcome != change_outcome::too_deep) {
        if (result.outcome == change_outcome::done) {
            call.desk().inspector.places().forget(message.tag);
            call.control().observer().message_removed(message.tag);
        }
        return result;
    }
    return mark_message(call, message, {}, "delete");
}

change_result move_message(const broker_call& call, const listed_message& message, const std::string& queue,
                           std::optional<std::int64_t> priority, broker::queue_end end) {
    if (auto refused = refused_change(call, message)) return std::move(*refused);
    broker::envelope_edit edit;
    edit.exchange = "";
    edit.routing_key = queue;
    edit.priority = priority;
    const auto element = broker::edit_envelope(message.element, edit);
    if (!element) return {change_outcome::failed, 0, {}, "it is not a message of kombu"};
    const int step = priority ? call.layout().step_of(static_cast<int>(*priority)) : message.step;
    const std::string target = call.layout().list_key(queue, step);
    auto result = call.desk().operations.replace(
        message, *element, target, end, queue == message.queue ? "requeue" : "move", author_of(call));
    if (result.outcome == change_outcome::too_deep) return mark_message(call, message, target, "move");
    if (result.outcome == change_outcome::done)
        call.control().observer().message_moved(static_cast<std::uint8_t>(call.desk().db), message.tag,
                                                target);
    return result;
}

}  // namespace sidecar
