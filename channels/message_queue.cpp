#include "channels/message_queue.hpp"

#include <algorithm>
#include <utility>

namespace channels {

namespace {
constexpr std::size_t kept_entries = 1'024;  // an emptied queue keeps room for so many
}

void message_queue::give_again() {
    given_ = first_;
    earliest_ = {};  // what becomes of those given is seen at the next look
}

void message_queue::push_notice(shared_envelope what) {
    add_bytes(what->frame.size());
    ++notices_;
    if (entries_.size() == entries_.capacity()) compact();
    entries_.push_back({next_seq_++, std::move(what), moment::max()});
}

push_result message_queue::push(shared_envelope what, moment expires, moment now, std::size_t capacity) {
    if (in_use() >= capacity || bytes_ + what->frame.size() > bytes_max) drop_expired(now);
    if (in_use() >= capacity) return push_result::full;
    if (channel_capacity_ > 0 && what->group.empty() && channel_is_full(what->channel))
        return push_result::full;
    if (bytes_ + what->frame.size() > bytes_max) return push_result::slow;
    add_bytes(what->frame.size());
    earliest_ = std::min(earliest_, expires);
    if (entries_.size() == entries_.capacity()) compact();
    entries_.push_back({next_seq_++, std::move(what), expires});
    return push_result::queued;
}

bool message_queue::channel_is_full(std::string_view channel) const {
    const auto waiting = std::count_if(entries_.begin() + static_cast<std::ptrdiff_t>(first_), entries_.end(),
                                       [&](const entry& e) { return e.what->channel == channel; });
    return waiting >= static_cast<std::ptrdiff_t>(channel_capacity_);
}

bool message_queue::acknowledge(std::uint64_t seq) {
    if (seq > last_given_) return false;
    while (first_ < entries_.size() && entries_[first_].seq <= seq) {
        take_bytes(entries_[first_].what->frame.size());
        if (entries_[first_].what->is_notice()) --notices_;
        entries_[first_++].what.reset();
    }
    given_ = std::max(given_, first_);
    if (first_ == entries_.size()) clear();
    return true;
}

void message_queue::clear() {
    entries_.clear();
    if (entries_.capacity() > kept_entries) std::vector<entry>().swap(entries_);
    first_ = given_ = notices_ = 0;
    take_bytes(bytes_);
    earliest_ = moment::max();
}

// Room is made by closing the gap at the front, before the array grows.
void message_queue::compact() {
    if (first_ == 0 || first_ * 2 < entries_.size()) return;
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_));
    given_ -= first_;
    first_ = 0;
}

// Only what nobody was given: what a client has seen keeps its place until it is acknowledged.
void message_queue::drop_expired(moment now) {
    if (now < earliest_) return;
    earliest_ = moment::max();
    const auto from = entries_.begin() + static_cast<std::ptrdiff_t>(given_);
    const auto kept = std::remove_if(from, entries_.end(), [&](const entry& e) {
        if (e.expires <= now) {
            take_bytes(e.what->frame.size());
            ++expired_;
            return true;
        }
        earliest_ = std::min(earliest_, e.expires);
        return false;
    });
    entries_.erase(kept, entries_.end());
}

std::vector<message_queue::entry> message_queue::ungiven(moment now) {
    drop_expired(now);
    return {entries_.begin() + static_cast<std::ptrdiff_t>(given_), entries_.end()};
}

}  // namespace channels
