#include "sidecar/core/upstream_queue.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace sidecar {

namespace {
constexpr std::size_t block_bytes = 32U << 10;
// A block that is kept elsewhere cannot begin anew; it is given up once there is little room behind its end.
constexpr std::size_t kept_room_min = 2U << 10;
// Such blocks are not used again, so that a link of which they are kept takes larger ones, less often.
constexpr std::size_t kept_block_bytes = 64U << 10;
}  // namespace

void upstream_queue::push(const upstream_entry& entry, std::string_view command_bytes) {
    const std::size_t bytes = command_bytes.size();
    const bool fits = !blocks_.empty() && blocks_.back().capacity - blocks_.back().size >= bytes;
    block& last = fits ? blocks_.back() : add_block(bytes);
    char* const place = last.data.get() + last.size;
    std::memcpy(place, command_bytes.data(), bytes);
    bytes_end_ = place + bytes;
    last.size += bytes;
    end_ += bytes;
    upstream_entry& kept = entries_.emplace_back(entry);
    kept.bytes = static_cast<std::uint32_t>(bytes);
    back_ = &kept;
    if ((entry.flags & entry_flag::unanswered) != 0) ++unanswered_;
}

upstream_queue::block& upstream_queue::add_block(std::size_t bytes) {
    block fresh;
    if (spare_.data && bytes <= spare_.capacity) {
        fresh = std::exchange(spare_, block{});
        fresh.size = 0;
    } else {
        const bool will_be_kept = !blocks_.empty() && blocks_.back().is_kept;
        fresh.capacity = std::max(will_be_kept ? kept_block_bytes : block_bytes, bytes);
        fresh.data = std::make_shared_for_overwrite<char[]>(fresh.capacity);
    }
    if (blocks_.empty()) {
        base_ = end_;
        send_block_ = 0;
        send_block_begin_ = base_;
    }
    return blocks_.emplace_back(std::move(fresh));
}

// Moves (index, begin) forward to the block that holds `position`.
void upstream_queue::seek(std::uint64_t position, std::size_t& index, std::uint64_t& begin) const {
    while (index + 1 < blocks_.size() && position >= begin + blocks_[index].size) {
        begin += blocks_[index].size;
        ++index;
    }
}

std::size_t upstream_queue::gather(std::span<std::string_view> pieces) const {
    std::size_t index = send_block_;
    std::uint64_t begin = send_block_begin_;
    std::uint64_t position = sent_;
    std::size_t filled = 0;
    while (position < end_ && filled < pieces.size()) {
        seek(position, index, begin);
        const block& b = blocks_[index];
        const auto offset = static_cast<std::size_t>(position - begin);
        pieces[filled++] = {b.data.get() + offset, b.size - offset};
        position = begin + b.size;
    }
    return filled;
}

void upstream_queue::on_written(std::size_t bytes) {
    sent_ += bytes;
    assert(sent_ <= end_);
    if (!blocks_.empty()) seek(sent_, send_block_, send_block_begin_);
}

std::string_view upstream_queue::front_bytes() const {
    std::size_t index = 0;
    std::uint64_t begin = base_;
    seek(answered_, index, begin);
    return {blocks_[index].data.get() + (answered_ - begin), front().bytes};
}

std::vector<upstream_queue::unsent> upstream_queue::cut_unsent() {
    std::size_t first = entries_.size();
    std::uint64_t cut = end_;
    while (first > 0 && cut - entries_[first - 1].bytes >= sent_) cut -= entries_[--first].bytes;
    std::vector<unsent> taken;
    std::size_t index = 0;
    std::uint64_t begin = base_;
    std::uint64_t position = cut;
    for (std::size_t i = first; i < entries_.size(); ++i) {
        seek(position, index, begin);
        taken.push_back({entries_[i], {blocks_[index].data.get() + (position - begin), entries_[i].bytes}});
        position += entries_[i].bytes;
    }
    while (entries_.size() > first) {
        if ((entries_[entries_.size() - 1].flags & entry_flag::unanswered) != 0) --unanswered_;
        entries_.pop_back();
    }
    if (!taken.empty()) cut_blocks(cut);
    return taken;
}

// The block that is being written stays, even empty.
void upstream_queue::cut_blocks(std::uint64_t end) {
    while (blocks_.size() - 1 > send_block_ && end_ - blocks_.back().size >= end) {
        end_ -= blocks_.back().size;
        blocks_.pop_back();
    }
    block& last = blocks_.back();
    last.size -= static_cast<std::size_t>(end_ - end);
    if (last.is_kept) last.capacity = last.size;  // somebody may still read what was there
    end_ = end;
}

void upstream_queue::release() {
    // The last block is kept while it has room: the next command goes there.
    while (!blocks_.empty() && base_ + blocks_.front().size <= answered_) {
        block& first = blocks_.front();
        const bool last = blocks_.size() == 1;
        if (last && first.is_kept && first.capacity - first.size >= kept_room_min) return;
        if (last && entries_.empty() && first.capacity == block_bytes && !first.is_kept) {
            base_ = answered_ = sent_ = end_;
            first.size = 0;
            send_block_ = 0;
            send_block_begin_ = base_;
            return;
        }
        base_ += first.size;
        if (first.capacity == block_bytes && !first.is_kept) spare_ = std::move(first);
        blocks_.pop_front();
        if (send_block_ > 0) {
            --send_block_;
        } else {
            send_block_begin_ = base_;
        }
    }
}

}  // namespace sidecar
