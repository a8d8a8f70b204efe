#include "broker/unacked_table.hpp"

namespace broker {

held_message* unacked_table::open(std::string_view tag, std::int64_t at_us) {
    const tag_key key = key_of(tag);
    if (const auto held = held_.find(key); held != held_.end()) return &held->second;
    const auto settled = settled_.find(key);
    if (settled != settled_.end() && settled->second >= at_us) return nullptr;
    if (held_.size() >= held_max_) {
        ++refused_;
        return nullptr;
    }
    held_message& fresh = held_[key];
    fresh.tag = tag;
    fresh.taken_us = at_us;
    opened_order_.emplace_back(at_us, key);
    return &fresh;
}

held_message* unacked_table::find(std::string_view tag) {
    const auto held = held_.find(key_of(tag));
    return held == held_.end() ? nullptr : &held->second;
}

const held_message* unacked_table::find(std::string_view tag) const {
    const auto held = held_.find(key_of(tag));
    return held == held_.end() ? nullptr : &held->second;
}

void unacked_table::settle(std::string_view tag, std::int64_t at_us) {
    const tag_key key = key_of(tag);
    held_.erase(key);
    if (settled_order_.size() >= settled_max) {
        settled_.erase(settled_order_.front().second);
        settled_order_.pop_front();
    }
    settled_[key] = at_us;
    settled_order_.emplace_back(at_us, key);
}

void unacked_table::erase(std::string_view tag) {
    held_.erase(key_of(tag));
}

void unacked_table::expire(std::int64_t now_us) {
    while (!settled_order_.empty() && settled_order_.front().first < now_us - settled_kept_us) {
        const auto& [time, key] = settled_order_.front();
        const auto found = settled_.find(key);
        if (found != settled_.end() && found->second <= time) settled_.erase(found);
        settled_order_.pop_front();
    }
    while (!opened_order_.empty() && opened_order_.front().first < now_us - unnoted_kept_us) {
        const auto found = held_.find(opened_order_.front().second);
        if (found != held_.end() && found->second.noted_by == 0 &&
            found->second.taken_us < now_us - unnoted_kept_us) {
            held_.erase(found);
        }
        opened_order_.pop_front();
    }
}

void unacked_table::clear() {
    held_.clear();
    settled_.clear();
    settled_order_.clear();
    opened_order_.clear();
}

}  // namespace broker
