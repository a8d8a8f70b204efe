#pragma once
// Published messages of one name that came from upstream one directly behind the other. Every listener gets
// them in one piece, and all listeners of one protocol version the same piece: encoded at most once, shared
// by reference.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "channels/subscription_table.hpp"
#include "sidecar/core/output_queue.hpp"

namespace sidecar {

class message_run {
public:
    struct names {
        channels::name_kind kind;
        std::string_view topic;    // subscribed to
        std::string_view channel;  // published to
        std::size_t head_bytes;    // of the frame, up to behind the names
    };

    // All views stay valid until clear().
    void begin(const names& of, std::string_view frame);
    // True when the frame lies directly behind the run and has the same names: it now belongs to it.
    [[nodiscard]] bool extend(std::string_view frame);
    void clear();

    [[nodiscard]] bool empty() const { return begins_.empty(); }
    [[nodiscard]] std::size_t count() const { return begins_.size(); }
    [[nodiscard]] std::size_t bytes() const { return frames_.size(); }
    [[nodiscard]] const names& of() const { return of_; }

    // As a client of that protocol version reads them. To be copied before clear(), or shared.
    [[nodiscard]] std::string_view text(int protocol);
    [[nodiscard]] const shared_frame& shared(int protocol);

private:
    void make_arrays(std::string& frames) const;

    names of_{};
    std::string_view frames_;
    std::vector<std::size_t> begins_;  // of the frames
    std::string resp2_;
    shared_frame shared_[2];
};

}  // namespace sidecar
