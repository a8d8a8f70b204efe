#include "sidecar/control/rule_snapshot.hpp"

#include <algorithm>

#include "broker/kombu_names.hpp"

namespace sidecar {

using broker::rule_kind;

namespace {

std::vector<std::string> lists_of(const std::string& queue_key,
                                  const std::vector<broker::broker_layout>& layouts) {
    std::vector<std::string> keys{queue_key};
    for (const auto& layout : layouts) {
        if (layout.separator == broker::binding_separator || !queue_key.starts_with(layout.prefix)) continue;
        for (const int step : layout.steps)
            if (step != 0) keys.push_back(layout.list_key(queue_key.substr(layout.prefix.size()), step));
    }
    return keys;
}

}  // namespace

void add_rules(broker::delivery_rules& into, int db, const broker::rule_book& book,
               const std::vector<broker::broker_layout>& layouts) {
    auto& rules = into.by_db[db];
    const auto names = [&](rule_kind kind, auto& set) {
        for (const auto& [subject, value] : book.all(kind)) set.insert(subject);
    };
    const auto queues = [&](rule_kind kind, auto& set) {
        for (const auto& [subject, value] : book.all(kind))
            for (auto& key : lists_of(subject, layouts)) set.insert(std::move(key));
    };
    queues(rule_kind::pause, rules.paused);
    queues(rule_kind::drain, rules.draining);
    names(rule_kind::hold, rules.held_tasks);
    names(rule_kind::revoke, rules.revoked_ids);
    names(rule_kind::revoke_task, rules.revoked_tasks);
    const auto rates = [&](rule_kind kind, auto& table) {
        for (const auto& [subject, value] : book.all(kind))
            table[subject] = {value.per_second, std::max(1.0, value.per_second)};
    };
    for (const auto& [subject, value] : book.all(rule_kind::rate))
        for (const auto& key : lists_of(subject, layouts))
            rules.queue_rates[key] = {value.per_second, std::max(1.0, value.per_second)};
    rates(rule_kind::task_rate, rules.task_rates);
    for (const auto& [subject, value] : book.all(rule_kind::revoke_stamp)) {
        const std::size_t sign = subject.find('=');
        if (sign != std::string::npos)
            rules.revoked_stamps.emplace_back(subject.substr(0, sign), subject.substr(sign + 1));
    }
    for (const auto& [tag, value] : book.all(rule_kind::mark)) {
        const auto action = value.target.empty() ? broker::delivery_mark::action::deleted
                                                 : broker::delivery_mark::action::moved;
        rules.marks[tag] = {action, value.target};
    }
}

}  // namespace sidecar
