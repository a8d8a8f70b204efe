#pragma once
// One message as it waits in queues: encoded once, shared by every queue it stands in. What a receiver gets
// is
// "*3" or "*5", its own sequence number, and this frame.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "channels/native_types.hpp"

namespace channels {

// What the client must know of its own process: a channel was put into a group, or taken out, by somebody
// else; or the layer was flushed.
enum class notice : std::uint8_t { none, joined, left, flushed };

struct envelope {
    std::string channel;  // empty for a group message
    std::string group;
    std::vector<std::string> except;
    std::string frame;  // the elements behind the sequence number
    notice tells = notice::none;
    std::size_t body_at = 0;
    std::size_t body_bytes = 0;

    [[nodiscard]] bool is_notice() const { return tells != notice::none; }
    [[nodiscard]] std::size_t elements() const { return group.empty() && !is_notice() ? 3 : 5; }
    [[nodiscard]] std::string_view body() const {
        return std::string_view(frame).substr(body_at, body_bytes);
    }
};

using shared_envelope = std::shared_ptr<const envelope>;

[[nodiscard]] shared_envelope direct_envelope(std::string_view channel, std::string_view body);
[[nodiscard]] shared_envelope group_envelope(std::string_view group, std::string_view body,
                                             const std::vector<std::string>& except);
// Null is spelt differently by the two protocols, so a notice is encoded for each receiver.
[[nodiscard]] shared_envelope notice_envelope(notice tells, std::string_view channel, std::string_view group);
[[nodiscard]] std::string notice_frame(const envelope& message, int protocol);
[[nodiscard]] shared_envelope envelope_of(const spooled_message& message);
[[nodiscard]] spooled_message spooled(const envelope& message, std::int64_t expires_in_ms);

}  // namespace channels
