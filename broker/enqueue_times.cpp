#include "broker/enqueue_times.hpp"

#include <algorithm>
#include <utility>

namespace broker {

bool enqueue_times::stands(const place& at, list_number list) const {
    const auto found = entries_.find(at.key);
    return found != entries_.end() && found->second.waiting && found->second.list == list;
}

void enqueue_times::leave_list(entry& one) {
    if (!one.waiting) return;
    one.waiting = false;
    list_order& list = lists_[one.list];
    if (--list.waiting == 0) list.order.clear();
}

void enqueue_times::note_change(std::string_view tag, std::int64_t enqueued_us) {
    if (changes_.size() >= changes_max) {
        ++changes_dropped_;
        return;
    }
    changes_.push_back({std::string(tag), enqueued_us});
}

bool enqueue_times::waits(std::string_view tag, list_number list, std::int64_t enqueued_us) {
    const tag_key key = key_of(tag);
    auto found = entries_.find(key);
    if (found == entries_.end()) {
        if (entries_.size() >= entries_max_) {
            ++refused_;
            return false;
        }
        found = entries_.emplace(key, entry{.enqueued_us = enqueued_us}).first;
        by_age_.emplace_back(key, enqueued_us);
        note_change(tag, enqueued_us);
    }
    leave_list(found->second);
    compact(list);
    if (list >= lists_.size()) lists_.resize(list + 1);
    found->second.waiting = true;
    found->second.list = list;
    ++lists_[list].waiting;

    auto& order = lists_[list].order;
    const std::int64_t first_us = found->second.enqueued_us;
    if (order.empty() || order.back().enqueued_us <= first_us) {
        order.push_back({key, first_us});
    } else {
        const auto after =
            std::upper_bound(order.begin(), order.end(), first_us,
                             [](std::int64_t time, const place& each) { return time < each.enqueued_us; });
        order.insert(after, {key, first_us});
    }
    return true;
}

// What left out of order stays behind whoever still stands in front; it must not pile up there.
void enqueue_times::compact(list_number list) {
    if (by_age_.size() > 2 * entries_.size() + 1024) {
        std::erase_if(by_age_, [this](const auto& each) {
            const auto found = entries_.find(each.first);
            return found == entries_.end() || found->second.enqueued_us != each.second;
        });
    }
    if (list >= lists_.size()) return;
    list_order& one = lists_[list];
    if (one.order.size() > 2 * one.waiting + 1024) {
        std::erase_if(one.order, [&](const place& each) { return !stands(each, list); });
    }
}

void enqueue_times::taken(std::string_view tag) {
    const auto found = entries_.find(key_of(tag));
    if (found != entries_.end()) leave_list(found->second);
}

void enqueue_times::forget(std::string_view tag) {
    const auto found = entries_.find(key_of(tag));
    if (found == entries_.end()) return;
    leave_list(found->second);
    // Unstored and still among the changes: take_changes() leaves it out.
    if (found->second.stored) note_change(tag, 0);
    entries_.erase(found);
}

void enqueue_times::trim(list_number list, std::uint64_t kept) {
    if (list >= lists_.size()) return;
    list_order& one = lists_[list];
    while (one.waiting > kept && !one.order.empty()) {
        const place front = one.order.front();
        one.order.pop_front();
        if (!stands(front, list)) continue;
        entries_.find(front.key)->second.waiting = false;
        --one.waiting;
    }
    if (one.waiting == 0) one.order.clear();
}

void enqueue_times::restore(std::string_view tag, std::int64_t enqueued_us) {
    const tag_key key = key_of(tag);
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
        found->second.stored = true;
        found->second.enqueued_us = std::min(found->second.enqueued_us, enqueued_us);
        return;
    }
    if (entries_.size() >= entries_max_) {
        ++refused_;
        return;
    }
    entries_.emplace(key, entry{.enqueued_us = enqueued_us, .stored = true});
    by_age_.emplace_back(key, enqueued_us);
}

const enqueue_times::entry* enqueue_times::find(std::string_view tag) const {
    const auto found = entries_.find(key_of(tag));
    return found == entries_.end() ? nullptr : &found->second;
}

std::optional<std::int64_t> enqueue_times::oldest_us(list_number list) const {
    if (list >= lists_.size()) return std::nullopt;
    auto& order = lists_[list].order;
    while (!order.empty() && !stands(order.front(), list)) order.pop_front();
    if (order.empty()) return std::nullopt;
    return order.front().enqueued_us;
}

std::uint64_t enqueue_times::waiting(list_number list) const {
    return list < lists_.size() ? lists_[list].waiting : 0;
}

void enqueue_times::expire(std::int64_t before_us) {
    for (int step = 0; step < 10'000 && !by_age_.empty(); ++step) {
        const auto [key, time] = by_age_.front();
        const auto found = entries_.find(key);
        const bool current = found != entries_.end() && found->second.enqueued_us == time;
        if (current && time >= before_us) return;
        by_age_.pop_front();
        if (!current) continue;
        leave_list(found->second);
        entries_.erase(found);
    }
}

std::vector<enqueue_times::change> enqueue_times::take_changes(std::size_t limit) {
    std::vector<change> taken;
    while (!changes_.empty() && taken.size() < limit) {
        change next = std::move(changes_.front());
        changes_.pop_front();
        if (next.enqueued_us != 0) {
            const auto found = entries_.find(key_of(next.tag));
            if (found == entries_.end()) continue;
            found->second.stored = true;
        }
        taken.push_back(std::move(next));
    }
    return taken;
}

}  // namespace broker
