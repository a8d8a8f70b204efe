#include "channels/subscription_table.hpp"

#include <algorithm>
#include <utility>

#include "resp/writer.hpp"

namespace channels {

namespace {

constexpr std::size_t names_per_command_max = 512;

constexpr std::string_view command_names[name_kinds][2] = {
    {"UNSUBSCRIBE", "SUBSCRIBE"}, {"PUNSUBSCRIBE", "PSUBSCRIBE"}, {"SUNSUBSCRIBE", "SSUBSCRIBE"}};

void erase_one(std::vector<subscriber*>& list, subscriber* who) {
    const auto it = std::find(list.begin(), list.end(), who);
    if (it == list.end()) return;
    *it = list.back();
    list.pop_back();
}

}  // namespace

subscription_table::effect subscription_table::want(name_kind kind, std::string_view name) {
    auto& map = topics_[static_cast<int>(kind)];
    auto it = map.find(name);
    if (it == map.end()) it = map.emplace(std::string(name), topic{}).first;
    topic& t = it->second;
    if (t.interest++ > 0) return effect::none;
    t.subscribed = true;
    ++t.unconfirmed;
    queued_.push_back({true, kind, std::string(name)});
    return effect::first;
}

subscription_table::effect subscription_table::leave(name_kind kind, std::string_view name, subscriber* who) {
    auto& map = topics_[static_cast<int>(kind)];
    const auto it = map.find(name);
    if (it == map.end() || it->second.interest == 0) return effect::none;
    topic& t = it->second;
    if (who != nullptr) {
        erase_one(t.members, who);
        erase_one(t.waiters, who);
    }
    if (--t.interest > 0) return effect::none;
    t.subscribed = false;
    queued_.push_back({false, kind, std::string(name)});
    if (t.unconfirmed == 0) map.erase(it);
    return effect::last;
}

void subscription_table::wait(name_kind kind, std::string_view name, subscriber* who) {
    if (topic* t = find(kind, name)) t->waiters.push_back(who);
}

void subscription_table::join(name_kind kind, std::string_view name, subscriber* who) {
    if (topic* t = find(kind, name)) t->members.push_back(who);
}

bool subscription_table::ready(name_kind kind, std::string_view name) const {
    const auto& map = topics_[static_cast<int>(kind)];
    const auto it = map.find(name);
    return it != map.end() && it->second.ready();
}

subscription_table::topic* subscription_table::find(name_kind kind, std::string_view name) {
    auto& map = topics_[static_cast<int>(kind)];
    const auto it = map.find(name);
    return it == map.end() ? nullptr : &it->second;
}

std::vector<subscriber*> subscription_table::on_confirmed(name_kind kind, std::string_view name) {
    auto& map = topics_[static_cast<int>(kind)];
    const auto it = map.find(name);
    if (it == map.end() || it->second.unconfirmed == 0) return {};
    topic& t = it->second;
    if (--t.unconfirmed > 0) return {};
    if (t.interest == 0) {
        map.erase(it);
        return {};
    }
    return std::exchange(t.waiters, {});
}

std::string subscription_table::take_commands() {
    std::string out;
    std::vector<std::string_view> args;
    for (std::size_t i = 0; i < queued_.size();) {
        const change& first = queued_[i];
        args.assign(1, command_names[static_cast<int>(first.kind)][first.subscribe ? 1 : 0]);
        // A run of the same kind travels as one command; order between kinds of change is kept.
        for (; i < queued_.size() && args.size() <= names_per_command_max; ++i) {
            if (queued_[i].kind != first.kind || queued_[i].subscribe != first.subscribe) break;
            args.push_back(queued_[i].name);
        }
        resp::append_command(out, args);
    }
    queued_.clear();
    return out;
}

bool subscription_table::has_commands() const {
    return !queued_.empty();
}

void subscription_table::on_lost() {
    queued_.clear();
    for (auto& map : topics_) {
        std::erase_if(map, [](const auto& item) { return item.second.interest == 0; });
        // Unconfirmed until replayed, so that ready() says no.
        for (auto& [name, t] : map) {
            t.unconfirmed = 1;
            t.subscribed = true;
        }
    }
}

void subscription_table::replay() {
    queued_.clear();
    // Given up since the connection was lost: nothing will ever be confirmed for them.
    for (auto& map : topics_) std::erase_if(map, [](const auto& item) { return item.second.interest == 0; });
    for (int kind = 0; kind < name_kinds; ++kind)
        for (auto& [name, t] : topics_[kind]) {
            t.unconfirmed = 1;
            t.subscribed = true;
            queued_.push_back({true, static_cast<name_kind>(kind), name});
        }
}

std::size_t subscription_table::size() const {
    std::size_t sum = 0;
    for (const auto& map : topics_) sum += map.size();
    return sum;
}

}  // namespace channels
