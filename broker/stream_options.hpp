#pragma once
// What the options of XREAD and XREADGROUP say about blocking, and how their words compare.

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "broker/blocking_call.hpp"

namespace broker {

// Equal but for the case of ASCII letters.
[[nodiscard]] bool same_word(std::string_view a, std::string_view b);

[[nodiscard]] inline bool reads_streams(blocking_kind kind) {
    return kind == blocking_kind::xread || kind == blocking_kind::xreadgroup;
}

struct stream_options {
    std::vector<std::size_t> blocks;  // indexes of BLOCK's values; Redis lets the last one win
    std::size_t first_key = 0;        // 0 = no STREAMS
    std::size_t keys = 0;
};

// Words it does not know are passed over: a later Redis may, and a call that blocks must never be taken for
// one that does not.
[[nodiscard]] stream_options read_stream_options(std::span<const std::string_view> args);

}  // namespace broker
