#include "sidecar/core/output_queue.hpp"

#include <algorithm>
#include <cassert>

namespace sidecar {

namespace {
// A segment grows up to this; then a new one is begun, so that memory already sent is given back while a long
// reply is still arriving.
constexpr std::size_t segment_bytes_max = 256U << 10;
// A drained queue keeps a small buffer for the next reply and gives a larger one back.
constexpr std::size_t kept_bytes_max = 512;
}  // namespace

void output_queue::append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (first_ == segments_.size() || segments_.back().shared ||
        segments_.back().own.size() + bytes.size() > segment_bytes_max) {
        segments_.emplace_back();
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

void output_queue::consume(std::size_t bytes) {
    assert(bytes <= bytes_);
    bytes_ -= bytes;
    sent_total_ += bytes;
    offset_ += bytes;
    while (first_ < segments_.size() && offset_ >= segments_[first_].view().size()) {
        offset_ -= segments_[first_].view().size();
        segments_[first_].shared.reset();
        if (first_ + 1 < segments_.size()) std::string().swap(segments_[first_].own);
        ++first_;
    }
    if (bytes_ > 0) {
        if (first_ > 64 && first_ * 2 > segments_.size()) {
            segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_));
            first_ = 0;
        }
        return;
    }
    offset_ = 0;
    if (segments_.size() == 1 && segments_[0].own.capacity() <= kept_bytes_max) {
        segments_[0].own.clear();
        first_ = 0;
    } else {
        std::vector<segment>().swap(segments_);
        first_ = 0;
    }
}

void output_queue::clear() {
    sent_total_ += bytes_;
    bytes_ = 0;
    first_ = offset_ = 0;
    std::vector<segment>().swap(segments_);
}

}  // namespace sidecar
