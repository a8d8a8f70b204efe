#pragma once
// Answers of the API as tables: which member becomes which column, and how it reads. A member that is null
// or missing is unknown and shown as "-".

#include <boost/json/value.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/cli/text_table.hpp"

namespace sidecar {

// The member at "owner.node"; nullptr where there is none or it is null.
[[nodiscard]] const boost::json::value* member(const boost::json::value& value, std::string_view path);
[[nodiscard]] std::string text_of(const boost::json::value& value, std::string_view path);  // "" = none
[[nodiscard]] double number_of(const boost::json::value& value, std::string_view path, double otherwise = 0);
[[nodiscard]] bool truth_of(const boost::json::value& value, std::string_view path);
// "items" of an answer, or the array itself; empty where it is neither.
[[nodiscard]] const boost::json::array& items_of(const boost::json::value& answer);

enum class shown_as : std::uint8_t {
    text,      // strings as they are, anything else as JSON
    count,     // 1,234
    rate,      // 12.4
    duration,  // 3m05s
    bytes,     // 1.2 KiB
    moment,    // 2026-11-22 23:14:05
    clock,     // 23:14:05.120
    list,      // a, b
    flag,      // yes or nothing
    state,     // text in the color of what it says
    priority,  // {"0": 5, "9": 1} as 0:5 9:1
};

struct member_column {
    std::string_view title;
    std::string_view path;
    shown_as kind = shown_as::text;
    cell_width width = cell_width::kept;
};

[[nodiscard]] table_cell cell_of(const boost::json::value& item, const member_column& column);
// One row an item.
[[nodiscard]] text_table table_of(const boost::json::array& items, std::span<const member_column> columns);
// "Title  value" lines, members that are unknown left away.
[[nodiscard]] std::string facts_of(const boost::json::value& item, std::span<const member_column> members);

enum class json_layout : std::uint8_t { line, indented };
[[nodiscard]] std::string json_text(const boost::json::value& value,
                                    json_layout layout = json_layout::indented, std::size_t indent = 0);

}  // namespace sidecar
