#include "broker/place_memory.hpp"

namespace broker {

void place_memory::remember(const std::string& tag, remembered_place where) {
    if (tag.empty()) return;
    if (const auto it = by_tag_.find(tag); it != by_tag_.end()) {
        it->second->second = std::move(where);
        entries_.splice(entries_.begin(), entries_, it->second);
        return;
    }
    entries_.emplace_front(tag, std::move(where));
    by_tag_.emplace(entries_.front().first, entries_.begin());
    if (entries_.size() <= entries_max_) return;
    by_tag_.erase(entries_.back().first);
    entries_.pop_back();
}

std::optional<remembered_place> place_memory::find(std::string_view tag) const {
    const auto it = by_tag_.find(tag);
    if (it == by_tag_.end()) return std::nullopt;
    return it->second->second;
}

void place_memory::forget(std::string_view tag) {
    const auto it = by_tag_.find(tag);
    if (it == by_tag_.end()) return;
    const auto where = it->second;
    by_tag_.erase(it);
    entries_.erase(where);
}

}  // namespace broker
