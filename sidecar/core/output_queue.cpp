#include "sidecar/core/output_queue.hpp"

#include <algorithm>
#include <cassert>

namespace sidecar {

namespace {
// A segment grows up to this; then a new one is begun, so that memory already sent is given back while a long
// reply is still arriving.
constexpr std::size_t segment_bytes_max = 256U << 10;
}  // namespace

void output_queue::append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (first_ == segments_.size() || segments_.back().shared ||
        segments_.back().own.size() + bytes.size() > segment_bytes_max) {
        segments_.emplace_back().own = pool_.take();
    }
    segments_.back().own.append(bytes);
    bytes_ += bytes.size();
}

void output_queue::append_shared(shared_frame frame) {
    bytes_ += frame->size();
    segments_.emplace_back().shared = std::move(frame);
}

std::size_t output_queue::gather(std::span<std::string_view> pieces) const {
    std::size_t filled = 0;
    for (std::size_t i = first_; i < segments_.size() && filled < pieces.size(); ++i) {
        auto view = segments_[i].view();
        if (i == first_) view.remove_prefix(offset_);
        if (!view.empty()) pieces[filled++] = view;
    }
    return filled;
}

void output_queue::release(segment& sent) {
    if (sent.own.capacity() >= buffer_pool::fresh_bytes) pool_.give(std::move(sent.own));
    sent.shared.reset();
}

void output_queue::consume(std::size_t bytes) {
    assert(bytes <= bytes_);
    bytes_ -= bytes;
    sent_total_ += bytes;
    offset_ += bytes;
    while (first_ < segments_.size() && offset_ >= segments_[first_].view().size()) {
        offset_ -= segments_[first_].view().size();
        release(segments_[first_++]);
    }
    if (bytes_ == 0) {
        offset_ = first_ = 0;
        if (segments_.size() == 1) {
            segments_.clear();
        } else {
            std::vector<segment>().swap(segments_);
        }
    } else if (first_ > 64 && first_ * 2 > segments_.size()) {
        segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
}

void output_queue::clear() {
    sent_total_ += bytes_;
    bytes_ = 0;
    first_ = offset_ = 0;
    for (auto& held : segments_) release(held);
    std::vector<segment>().swap(segments_);
}

}  // namespace sidecar
