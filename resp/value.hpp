#pragma once
// A reply read into a tree, for the few replies the sidecar must understand (HELLO, COMMAND, EXEC, popped
// elements). The data path never builds one: it moves bytes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace resp {

enum class kind : std::uint8_t {
    null,
    simple,
    error,
    bulk,
    integer,
    real,
    boolean,
    big_number,
    verbatim,
    array,
    map,
    set,
    push
};

struct value {
    kind type = kind::null;
    std::string
        text;  // simple, error (without '-'), bulk, big_number, verbatim (without "txt:"), real as sent
    std::int64_t integer = 0;  // integer, boolean
    std::vector<value> items;  // array, set, push; map as key, value, key, value

    [[nodiscard]] bool is_text() const {
        return type == kind::bulk || type == kind::simple || type == kind::verbatim;
    }
    [[nodiscard]] bool is_aggregate() const { return type >= kind::array; }
    // The value for a key of a map (or of a RESP2 flat array of pairs); nullptr when absent.
    [[nodiscard]] const value* find(std::string_view key) const;
};

// Reads one complete reply from the front of `bytes`; sets `used`. nullopt when incomplete, malformed, or
// nested deeper than reply_depth_max. Attributes are skipped.
[[nodiscard]] std::optional<value> parse_value(std::string_view bytes, std::size_t& used);
[[nodiscard]] std::optional<value> parse_value(std::string_view bytes);

}  // namespace resp
