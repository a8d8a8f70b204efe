#include "broker/queue_catalog.hpp"

#include "broker/inspector.hpp"
#include "broker/kombu_names.hpp"

namespace broker {

namespace {

constexpr std::string_view scan_count = "400";
constexpr std::string_view members_max = "1000";
constexpr std::string_view binding_mark = "_kombu.binding.";
constexpr std::string_view index_mark = "unacked_index";

bool looks_like_kombu(std::string_view element) {
    return element.starts_with('{') && !tag_of(element).empty();
}

}  // namespace

resp::value queue_catalog::scan(const std::string& cursor, std::string_view type, std::string_view pattern) {
    auto reply = redis_.call({"SCAN", cursor, "MATCH", pattern, "COUNT", scan_count, "TYPE", type});
    if (reply.items.size() != 2) {
        away_ = true;
        return {};
    }
    return reply;
}

void queue_catalog::scan_lists() {
    const auto reply = scan(list_cursor_, "list", "*");
    if (away_) return;
    list_cursor_ = reply.items[0].text;
    std::vector<redis_command> questions;
    for (const auto& key : reply.items[1].items) {
        if (key.text.starts_with(own_prefix)) continue;
        if (const auto known = lists_.find(key.text); known != lists_.end()) {
            known->second = round_;
        } else {
            questions.push_back({"LINDEX", key.text, "-1"});
        }
    }
    const auto heads = redis_.pipeline(questions);
    for (std::size_t i = 0; i < heads.size(); ++i) {
        auto& table = looks_like_kombu(heads[i].text) ? lists_ : foreign_;
        if (table.size() < names_max) {
            table[questions[i][1]] = round_;
        } else {
            ++dropped_;
        }
    }
    lists_done_ = list_cursor_ == "0";
}

void queue_catalog::read_binding(const std::string& key) {
    const auto reply = redis_.call({"SSCAN", key, "0", "COUNT", members_max});
    if (reply.items.size() != 2) return;
    auto& [round, list] = bindings_[key];
    round = round_;
    list.clear();
    const std::size_t mark = key.rfind(binding_mark);
    const std::string_view exchange = std::string_view(key).substr(mark + binding_mark.size());
    for (const auto& member : reply.items[1].items) {
        const auto parsed = parse_binding(member.text);
        if (parsed)
            list.push_back({std::string(exchange), std::string(parsed->routing_key),
                            std::string(parsed->pattern), std::string(parsed->queue)});
    }
}

void queue_catalog::scan_bindings() {
    const auto reply = scan(binding_cursor_, "set", "*_kombu.binding.*");
    if (away_) return;
    binding_cursor_ = reply.items[0].text;
    for (const auto& key : reply.items[1].items) {
        if (bindings_.size() < names_max || bindings_.contains(key.text)) {
            read_binding(key.text);
        } else {
            ++dropped_;
        }
    }
    const auto indexes = redis_.call({"SCAN", "0", "MATCH", "*unacked_index", "COUNT", "1", "TYPE", "zset"});
    if (indexes.items.size() == 2)
        for (const auto& key : indexes.items[1].items) unacked_[key.text] = round_;
    bindings_done_ = binding_cursor_ == "0";
}

void queue_catalog::end_round() {
    const auto old = [this](const auto& entry) { return entry.second < round_; };
    std::erase_if(lists_, old);
    std::erase_if(foreign_, old);
    std::erase_if(bindings_, [this](const auto& entry) { return entry.second.first < round_; });
    lists_done_ = bindings_done_ = false;
    ++round_;
    ++rounds_;
}

bool queue_catalog::step() {
    away_ = false;
    if (!bindings_done_) {
        scan_bindings();
    } else if (!lists_done_) {
        scan_lists();
    } else {
        end_round();
    }
    return !away_;
}

void queue_catalog::catch_up(int steps_max) {
    for (int i = 0; i < steps_max && !complete(); ++i)
        if (!step()) return;
}

void queue_catalog::look_again(int steps_max) {
    const std::uint64_t wanted = rounds_ + 2;
    for (int i = 0; i < steps_max && rounds_ < wanted; ++i)
        if (!step()) return;
}

std::vector<std::string> queue_catalog::prefixes() const {
    std::set<std::string> found;
    for (const auto& [key, entry] : bindings_) found.insert(key.substr(0, key.rfind(binding_mark)));
    for (const auto& [key, round] : unacked_) found.insert(key.substr(0, key.size() - index_mark.size()));
    if (found.empty()) found.insert("");
    return {found.begin(), found.end()};
}

std::vector<std::string> queue_catalog::queues(const broker_layout& layout) const {
    std::set<std::string> names;
    const std::string start = layout.binding_key("");
    for (auto it = bindings_.lower_bound(start); it != bindings_.end() && it->first.starts_with(start); ++it)
        for (const auto& each : it->second.second) names.insert(each.queue);
    const auto others = prefixes();
    for (const auto& [key, round] : lists_) {
        // A longer prefix that fits is another application's.
        bool foreign = false;
        for (const auto& other : others)
            foreign = foreign || (other.size() > layout.prefix.size() && key.starts_with(other));
        if (foreign) continue;
        if (auto place = place_of(layout, key)) names.insert(std::move(place->queue));
    }
    std::erase_if(names, [](const auto& name) { return !is_work_queue(name); });
    return {names.begin(), names.end()};
}

std::vector<queue_binding> queue_catalog::bindings(const broker_layout& layout) const {
    std::vector<queue_binding> all;
    const std::string start = layout.binding_key("");
    for (auto it = bindings_.lower_bound(start); it != bindings_.end() && it->first.starts_with(start); ++it)
        all.insert(all.end(), it->second.second.begin(), it->second.second.end());
    return all;
}

std::vector<std::string> queue_catalog::foreign_lists(const broker_layout& layout) const {
    std::vector<std::string> keys;
    for (const auto& [key, round] : foreign_)
        if (key.starts_with(layout.prefix)) keys.push_back(key);
    return keys;
}

void queue_catalog::add(const broker_layout& layout, const std::string& queue) {
    if (lists_.size() < names_max) lists_[layout.list_key(queue, 0)] = round_;
}

}  // namespace broker
