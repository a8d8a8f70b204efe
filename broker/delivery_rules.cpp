#include "broker/delivery_rules.hpp"

#include <algorithm>

#include "broker/kombu_names.hpp"

namespace broker {
namespace {

bool is_stamped(const message_head& head, const std::pair<std::string, std::string>& wanted) {
    return std::any_of(head.stamps.begin(), head.stamps.end(), [&](const stamp& s) {
        return s.name == wanted.first &&
               std::find(s.values.begin(), s.values.end(), wanted.second) != s.values.end();
    });
}

}  // namespace

bool db_rules::looks_inside() const {
    return !held_tasks.empty() || !task_rates.empty() || !revoked_ids.empty() || !revoked_tasks.empty() ||
           !revoked_stamps.empty() || !marks.empty();
}

std::string_view queue_of_list(std::string_view key) {
    const std::size_t at = key.rfind(binding_separator);
    if (at == std::string_view::npos || at == 0) return key;
    const std::string_view digits = key.substr(at + binding_separator.size());
    const bool number = !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
    return number ? key.substr(0, at) : key;
}

fate_of_message judge(const db_rules& rules, const message_head& head) {
    if (const auto mark = rules.marks.find(head.tag); mark != rules.marks.end()) {
        if (mark->second.what == delivery_mark::action::deleted) return {fate::deleted, {}};
        return {fate::moved, mark->second.target};
    }
    if (rules.revoked_ids.contains(head.id)) return {fate::revoked, "id"};
    if (rules.revoked_tasks.contains(head.task)) return {fate::revoked, "task"};
    for (const auto& wanted : rules.revoked_stamps)
        if (is_stamped(head, wanted)) return {fate::revoked, "stamp"};
    if (rules.held_tasks.contains(head.task)) return {fate::held, {}};
    return {};
}

}  // namespace broker
