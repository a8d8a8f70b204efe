#pragma once
// What nodes of one layer publish to each other's inbox, and what waits in spools. Fields are
// "<length>:<bytes>" one behind the other, which Lua writes as easily:
//
//   message   verb db prefix request origin name names capacity expiry_ms result tally body
//   spooled   kind channel group except origin body          kind: c a channel's, g a group's
//
// Lists are names between spaces. The body comes last, so that a head can be made without copying it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "channels/native_types.hpp"

namespace channels {

enum class node_verb : std::uint8_t {
    send,       // name = channel
    answer,     // to `request`, with result or tally
    group,      // name = group, names = excepted channels
    join,       // name = group, names = channels of one process
    leave,      // likewise
    leave_all,  // name = channel
    taken,      // name = process, whose new home is origin
    handover,   // name = process, body = spooled messages
    wake,       // name = normal channel
    flush,
};

struct node_message {
    node_verb verb = node_verb::wake;
    layer_ref layer;
    std::uint64_t request = 0;  // 0 = no answer wanted
    std::string origin;         // node
    std::string name;
    std::vector<std::string> names;
    std::uint64_t capacity = 0;
    std::int64_t expiry_ms = 0;
    std::uint8_t result = 0;
    group_tally tally;
    shared_payload body;  // never null once decoded
};

// All but the body, of which only the length is written.
[[nodiscard]] std::string head_of(const node_message& message, std::size_t body_bytes);
[[nodiscard]] std::string encode(const node_message& message);
[[nodiscard]] std::optional<node_message> decode_node_message(std::string_view bytes);

struct spooled_item {
    spooled_message message;
    std::string origin;  // the node that sent it
};

[[nodiscard]] std::string spool_head(const spooled_message& message, std::string_view origin,
                                     std::size_t body_bytes);
[[nodiscard]] std::string encode_spooled(const spooled_message& message, std::string_view origin);
[[nodiscard]] std::optional<spooled_item> decode_spooled(std::string_view bytes);

// Many of them as one body.
[[nodiscard]] std::string encode_handover(const std::vector<spooled_message>& messages,
                                          std::string_view origin);
[[nodiscard]] std::vector<spooled_message> decode_handover(std::string_view bytes);

[[nodiscard]] std::string join_names(const std::vector<std::string>& names);

}  // namespace channels
