#include "sidecar/core/message_run.hpp"

namespace sidecar {

void message_run::begin(const names& of, std::string_view frame) {
    clear();
    of_ = of;
    frames_ = frame;
    begins_.push_back(0);
}

bool message_run::extend(std::string_view frame) {
    if (empty() || frame.data() != frames_.data() + frames_.size()) return false;
    if (!frame.starts_with(frames_.substr(0, of_.head_bytes))) return false;
    begins_.push_back(frames_.size());
    frames_ = {frames_.data(), frames_.size() + frame.size()};
    return true;
}

void message_run::clear() {
    frames_ = {};
    begins_.clear();
    resp2_.clear();
    for (auto& piece : shared_) piece.reset();
}

// RESP2 has no push type: the same elements in an array.
void message_run::make_arrays(std::string& frames) const {
    for (const std::size_t begin : begins_) frames[begin] = '*';
}

std::string_view message_run::text(int protocol) {
    if (protocol == 3) return frames_;
    if (resp2_.empty()) {
        resp2_ = frames_;
        make_arrays(resp2_);
    }
    return resp2_;
}

const shared_frame& message_run::shared(int protocol) {
    auto& piece = shared_[protocol == 3 ? 1 : 0];
    if (!piece) {
        auto fresh = std::make_shared<std::string>(frames_);
        if (protocol != 3) make_arrays(*fresh);
        piece = std::move(fresh);
    }
    return piece;
}

}  // namespace sidecar
