#include "sidecar/cli/json_view.hpp"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "sidecar/cli/units.hpp"

namespace sidecar {
namespace {

namespace json = boost::json;

cell_side side_of(shown_as kind) {
    switch (kind) {
        case shown_as::count:
        case shown_as::rate:
        case shown_as::duration:
        case shown_as::bytes:
            return cell_side::right;
        default:
            return cell_side::left;
    }
}

text_style style_of_state(std::string_view state) {
    constexpr std::array good{"active", "alive", "online", "running", "SUCCESS", "succeeded", "info", "done"};
    constexpr std::array warning{"paused",     "draining", "silent",  "leaving", "overdue",
                                 "prefetched", "warning",  "unknown", "RETRY",   "retry"};
    constexpr std::array bad{"orphan", "gone", "offline", "FAILURE", "failed", "critical", "error", "lost"};
    const auto among = [&](const auto& words) {
        return std::find(words.begin(), words.end(), state) != words.end();
    };
    if (among(good)) return text_style::good;
    if (among(warning)) return text_style::warning;
    return among(bad) ? text_style::bad : text_style::plain;
}

// The library writes 12.5 as 1.25E1.
std::string number_text(double number) {
    std::array<char, 40> text{};
    const auto [end, ec] = std::to_chars(text.data(), text.data() + text.size(), number);
    return ec == std::errc() ? std::string(text.data(), end) : json::serialize(json::value(number));
}

std::string plain_text(const json::value& value) {
    if (const json::string* text = value.if_string())
        return shown(std::string_view(text->data(), text->size()));
    return shown(json_text(value, json_layout::line));
}

std::string list_text(const json::value& value) {
    const json::array* items = value.if_array();
    if (items == nullptr) return plain_text(value);
    std::string text;
    for (const json::value& item : *items) text += (text.empty() ? "" : ", ") + plain_text(item);
    return text;
}

std::string priorities_text(const json::value& value) {
    const json::object* levels = value.if_object();
    if (levels == nullptr) return plain_text(value);
    std::string text;
    for (const auto& [level, count] : *levels)
        if (!count.is_number() || count.to_number<double>() != 0)
            text += (text.empty() ? "" : " ") + shown(std::string_view(level.data(), level.size())) + ":" +
                    json::serialize(count);
    return text;
}

std::string figure_text(double number, shown_as kind) {
    switch (kind) {
        case shown_as::count:
            return count_text(static_cast<std::int64_t>(number));
        case shown_as::rate:
            return rate_text(number);
        case shown_as::duration:
            return duration_text(number);
        case shown_as::bytes:
            return bytes_text(number);
        case shown_as::moment:
            return moment_text(number);
        case shown_as::clock:
            return time_of_day_text(number);
        default:
            return {};
    }
}

}  // namespace

const json::value* member(const json::value& value, std::string_view path) {
    const json::value* found = &value;
    while (found != nullptr && !path.empty()) {
        const std::size_t dot = std::min(path.find('.'), path.size());
        const json::object* object = found->if_object();
        found = object == nullptr ? nullptr : object->if_contains(json::string_view(path.data(), dot));
        path.remove_prefix(std::min(dot + 1, path.size()));
    }
    return found == nullptr || found->is_null() ? nullptr : found;
}

std::string text_of(const json::value& value, std::string_view path) {
    const json::value* found = member(value, path);
    if (found == nullptr) return {};
    if (const json::string* text = found->if_string()) return {text->data(), text->size()};
    return json::serialize(*found);
}

double number_of(const json::value& value, std::string_view path, double otherwise) {
    const json::value* found = member(value, path);
    return found != nullptr && found->is_number() ? found->to_number<double>() : otherwise;
}

bool truth_of(const json::value& value, std::string_view path) {
    const json::value* found = member(value, path);
    return found != nullptr && found->is_bool() && found->get_bool();
}

const json::array& items_of(const json::value& answer) {
    static const json::array none;
    if (const json::array* items = answer.if_array()) return *items;
    const json::value* items = member(answer, "items");
    return items != nullptr && items->is_array() ? items->get_array() : none;
}

table_cell cell_of(const json::value& item, const member_column& column) {
    const json::value* found = member(item, column.path);
    if (found == nullptr) return {column.kind == shown_as::flag ? "" : "-", text_style::plain};
    switch (column.kind) {
        case shown_as::text:
            return {plain_text(*found)};
        case shown_as::list:
            return {list_text(*found)};
        case shown_as::priority:
            return {priorities_text(*found)};
        case shown_as::flag:
            return {found->is_bool() ? (found->get_bool() ? "yes" : "") : plain_text(*found)};
        case shown_as::state: {
            const std::string text = plain_text(*found);
            return {text, style_of_state(text)};
        }
        default:
            break;
    }
    return {found->is_number() ? figure_text(found->to_number<double>(), column.kind) : plain_text(*found)};
}

text_table table_of(const json::array& items, std::span<const member_column> columns) {
    std::vector<table_column> titles;
    for (const member_column& column : columns)
        titles.push_back({std::string(column.title), side_of(column.kind), column.width});
    text_table table(std::move(titles));
    for (const json::value& item : items) {
        std::vector<table_cell> row;
        for (const member_column& column : columns) row.push_back(cell_of(item, column));
        table.add(std::move(row));
    }
    return table;
}

std::string facts_of(const json::value& item, std::span<const member_column> members) {
    std::size_t width = 0;
    for (const member_column& one : members)
        if (member(item, one.path) != nullptr) width = std::max(width, one.title.size());
    std::string text;
    for (const member_column& one : members) {
        if (member(item, one.path) == nullptr) continue;
        const table_cell cell = cell_of(item, one);
        if (cell.text.empty()) continue;
        text += styled(one.title, text_style::bold) + std::string(width + 2 - one.title.size(), ' ') +
                styled(cell.text, cell.style) + "\n";
    }
    return text;
}

std::string json_text(const json::value& value, json_layout layout, std::size_t indent) {
    const bool pretty = layout == json_layout::indented;
    const std::string line = pretty ? "\n" + std::string(indent + 2, ' ') : "";
    const std::string last = pretty ? "\n" + std::string(indent, ' ') : "";
    std::string text;
    if (const json::object* object = value.if_object(); object != nullptr && !object->empty()) {
        for (const auto& [name, entry] : *object)
            text += (text.empty() ? "{" : ",") + line + json::serialize(json::string(name)) +
                    (pretty ? ": " : ":") + json_text(entry, layout, indent + 2);
        return text + last + "}";
    }
    if (const json::array* array = value.if_array(); array != nullptr && !array->empty()) {
        for (const json::value& entry : *array)
            text += (text.empty() ? "[" : ",") + line + json_text(entry, layout, indent + 2);
        return text + last + "]";
    }
    return value.is_double() ? number_text(value.get_double()) : json::serialize(value);
}

}  // namespace sidecar
