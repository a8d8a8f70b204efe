#include "broker/task_table.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace broker {
namespace {

constexpr std::array<std::pair<std::string_view, task_state>, 8> states{
    {{"task-sent", task_state::sent},
     {"task-received", task_state::received},
     {"task-started", task_state::started},
     {"task-retried", task_state::retry},
     {"task-succeeded", task_state::succeeded},
     {"task-failed", task_state::failed},
     {"task-rejected", task_state::rejected},
     {"task-revoked", task_state::revoked}}};

// A python repr may be cut anywhere; UTF-8 may not.
std::string cut(std::string text) {
    if (text.size() <= task_text_bytes_max) return text;
    std::size_t end = task_text_bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    text += "…";
    return text;
}

void take(std::string& into, const boost::json::object& fields, std::string_view name) {
    if (std::string value = text_of(fields, name); !value.empty()) into = cut(std::move(value));
}

bool is_final(task_state state) {
    return state == task_state::succeeded || state == task_state::failed || state == task_state::rejected ||
           state == task_state::revoked;
}

void take_facts(task_record& record, const boost::json::object& fields) {
    take(record.name, fields, "name");
    take(record.args, fields, "args");
    take(record.kwargs, fields, "kwargs");
    take(record.root_id, fields, "root_id");
    take(record.parent_id, fields, "parent_id");
    take(record.eta, fields, "eta");
    take(record.expires, fields, "expires");
    take(record.queue, fields, "queue");
    take(record.result, fields, "result");
    take(record.exception, fields, "exception");
    take(record.traceback, fields, "traceback");
    if (const auto runtime = number_of(fields, "runtime")) record.runtime_s = runtime;
}

// Whether an event of this state tells the record's present state, or comes late.
bool is_news(const task_record& record, task_state state, std::optional<std::int64_t> retries) {
    if (retries && static_cast<std::uint64_t>(*retries) > record.retries) return true;
    if (state == task_state::sent || state == task_state::received) {
        if (retries && static_cast<std::uint64_t>(*retries) < record.retries) return false;
    }
    // The end of a try that was retried is told after its successor was published or even started.
    if (state == task_state::retry) return !is_final(record.state) && record.state != task_state::started;
    if (is_final(record.state) && !is_final(state)) {
        return record.state == task_state::rejected && state != task_state::sent;
    }
    const auto rank = [](task_state of) { return of == task_state::retry ? task_state::unknown : of; };
    return state >= rank(record.state);
}

}  // namespace

std::string text_of(const boost::json::object& fields, std::string_view name) {
    const auto* const found = fields.if_contains({name.data(), name.size()});
    if (found == nullptr || !found->is_string()) return {};
    return {found->get_string().data(), found->get_string().size()};
}

std::optional<double> number_of(const boost::json::object& fields, std::string_view name) {
    const auto* const found = fields.if_contains({name.data(), name.size()});
    if (found == nullptr || !found->is_number()) return std::nullopt;
    return found->to_number<double>();
}

std::optional<std::int64_t> integer_of(const boost::json::object& fields, std::string_view name) {
    const auto* const found = fields.if_contains({name.data(), name.size()});
    return found == nullptr || !found->is_int64() ? std::nullopt : std::optional(found->get_int64());
}

task_record& task_table::touch(const broker_id& broker, std::string_view id, std::int64_t at_us) {
    if (const auto found = by_id_.find(id); found != by_id_.end()) {
        records_.splice(records_.begin(), records_, found->second);
    } else {
        if (by_id_.size() >= tasks_max_) {
            by_id_.erase(records_.back().id);
            records_.pop_back();
            ++forgotten_;
        }
        records_.emplace_front();
        records_.front().id = id;
        records_.front().broker = broker;
        by_id_.emplace(records_.front().id, records_.begin());
    }
    records_.front().updated_us = std::max(records_.front().updated_us, at_us);
    return records_.front();
}

task_record* task_table::on_event(const broker_id& broker, std::string_view type,
                                  const boost::json::object& fields, std::int64_t at_us) {
    const std::string id = text_of(fields, "uuid");
    if (id.empty() || id.size() > 255) return nullptr;
    task_record& record = touch(broker, id, at_us);
    take_facts(record, fields);
    const auto known =
        std::find_if(states.begin(), states.end(), [&](const auto& each) { return each.first == type; });
    if (known == states.end()) return &record;
    const task_state state = known->second;
    const auto retries = integer_of(fields, "retries");
    if (is_news(record, state, retries)) record.state = state;
    if (retries)
        record.retries =
            std::max(record.retries, static_cast<std::uint64_t>(std::max<std::int64_t>(*retries, 0)));
    if (state != task_state::sent) take(record.worker, fields, "hostname");

    const auto stamp = number_of(fields, "timestamp");
    const bool sane = stamp && *stamp > 0 && *stamp < 1e11;
    const std::int64_t when = sane ? static_cast<std::int64_t>(*stamp * 1e6) : at_us;
    if (state == task_state::sent && !record.sent_us) record.sent_us = when;
    if (state == task_state::received) record.received_us = when;
    if (state == task_state::started) record.started_us = when;
    if (is_final(state)) record.finished_us = when;
    return &record;
}

const task_record* task_table::find(std::string_view id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &*found->second;
}

task_record* task_table::find(std::string_view id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &*found->second;
}

std::vector<task_record> task_table::recent(std::size_t limit,
                                            const std::function<bool(const task_record&)>& matches) const {
    std::vector<task_record> found;
    for (const task_record& record : records_) {
        if (found.size() >= limit) break;
        if (!matches || matches(record)) found.push_back(record);
    }
    return found;
}

}  // namespace broker
