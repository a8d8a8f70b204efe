#include "broker/workflow.hpp"

#include <algorithm>
#include <initializer_list>

#include "broker/json_reader.hpp"
#include "broker/msgpack_reader.hpp"
#include "broker/pickle_reader.hpp"
#include "broker/yaml_reader.hpp"

namespace broker {

namespace json = boost::json;

namespace {

constexpr std::size_t depth_max = 16;
constexpr std::size_t parts_max = 1000;

const json::value* find(const json::object& object, std::string_view name) {
    return object.if_contains(name);
}

std::string text(const json::object& object, std::string_view name) {
    const auto* value = find(object, name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<std::int64_t> whole(const json::object& object, std::string_view name) {
    const auto* value = find(object, name);
    return value != nullptr && value->is_int64() ? std::optional(value->get_int64()) : std::nullopt;
}

// An object by itself, or what a pickled Signature (a dictionary) was shown as.
const json::object* members_of(const json::value& value) {
    std::string_view type;
    const json::value* content = typed_content(value, type);
    if (content == nullptr) return value.if_object();
    const auto* object = content->if_object();
    if (type != "object" || object == nullptr) return nullptr;
    for (const std::string_view place : {"items", "state"})
        if (const auto* inner = find(*object, place); inner != nullptr && inner->is_object())
            return inner->if_object();
    const auto* args = find(*object, "args");
    if (args == nullptr || !args->is_array() || args->get_array().empty()) return nullptr;
    return args->get_array().back().if_object();
}

const json::array* items_of(const json::value* value) {
    std::string_view type;
    if (value == nullptr) return nullptr;
    if (const json::value* content = typed_content(*value, type)) return content->if_array();
    return value->if_array();
}

std::optional<signature> read_signature(const json::value& value, std::size_t depth);

std::vector<signature> read_signatures(const json::value* value, std::size_t depth) {
    std::vector<signature> out;
    if (value == nullptr || depth > depth_max) return out;
    const json::array* items = items_of(value);
    if (items == nullptr) {
        if (auto one = read_signature(*value, depth)) out.push_back(std::move(*one));
        return out;
    }
    for (const auto& item : *items) {
        if (out.size() >= parts_max) break;
        if (auto one = read_signature(item, depth)) out.push_back(std::move(*one));
    }
    return out;
}

// What a chain, group or chord is made of lies among its arguments.
std::vector<signature> read_parts(const json::object& members, const signature& of, std::size_t depth) {
    std::vector<signature> parts;
    const auto* kwargs = find(members, "kwargs");
    const auto* inner = kwargs == nullptr ? nullptr : members_of(*kwargs);
    if (inner == nullptr || of.subtask_type.empty()) return parts;
    for (const std::string_view name : {"tasks", "header", "body"}) {
        auto some = read_signatures(find(*inner, name), depth + 1);
        std::ranges::move(some, std::back_inserter(parts));
    }
    return parts;
}

std::optional<signature> read_signature(const json::value& value, std::size_t depth) {
    const json::object* members = members_of(value);
    if (members == nullptr || depth > depth_max) return std::nullopt;
    signature out;
    out.task = text(*members, "task");
    if (out.task.empty()) return std::nullopt;
    out.subtask_type = text(*members, "subtask_type");
    out.chord_size = whole(*members, "chord_size");
    if (const auto* flag = find(*members, "immutable"); flag != nullptr && flag->is_bool())
        out.immutable = flag->get_bool();
    const auto* args = find(*members, "args");
    // A tuple of pickle's is a list here, as in any other serializer.
    if (const auto* items = items_of(args); items != nullptr)
        out.args = *items;
    else if (args != nullptr)
        out.args = *args;
    if (const auto* kwargs = find(*members, "kwargs")) out.kwargs = *kwargs;
    if (const auto* options = find(*members, "options");
        options != nullptr && members_of(*options) != nullptr) {
        const json::object& given = *members_of(*options);
        out.id = text(given, "task_id");
        out.group_id = text(given, "group_id");
        out.queue = text(given, "queue");
    }
    out.parts = read_parts(*members, out, depth);
    return out;
}

json::array all_json(const std::vector<signature>& parts) {
    json::array out;
    for (const auto& part : parts) out.push_back(as_json(part));
    return out;
}

json::value text_or_null(const std::string& value) {
    return value.empty() ? json::value() : json::value(json::string(value));
}

json::value whole_or_null(const std::optional<std::int64_t>& value) {
    return value ? json::value(*value) : json::value();
}

}  // namespace

workflow read_workflow(const decoded_message& message) {
    workflow flow;
    flow.root_id = message.head.root_id;
    flow.parent_id = message.head.parent_id;
    flow.group_id = message.head.group_id;
    flow.group_index = message.head.group_index;
    const auto* embed = message.embed.if_object();
    if (embed == nullptr) return flow;
    flow.chain = read_signatures(find(*embed, "chain"), 0);
    std::ranges::reverse(flow.chain);
    flow.callbacks = read_signatures(find(*embed, "callbacks"), 0);
    flow.errbacks = read_signatures(find(*embed, "errbacks"), 0);
    if (const auto* chord = find(*embed, "chord")) flow.chord = read_signature(*chord, 0);
    return flow;
}

json::object as_json(const signature& part) {
    json::object out;
    out["task"] = json::string(part.task);
    out["id"] = text_or_null(part.id);
    out["group_id"] = text_or_null(part.group_id);
    out["queue"] = text_or_null(part.queue);
    out["type"] = text_or_null(part.subtask_type);
    out["args"] = part.args;
    out["kwargs"] = part.subtask_type.empty() ? part.kwargs : json::value();
    out["immutable"] = part.immutable;
    out["chord_size"] = whole_or_null(part.chord_size);
    out["parts"] = all_json(part.parts);
    return out;
}

json::object as_json(const workflow& flow) {
    json::object out;
    out["root_id"] = text_or_null(flow.root_id);
    out["parent_id"] = text_or_null(flow.parent_id);
    out["group_id"] = text_or_null(flow.group_id);
    out["group_index"] = whole_or_null(flow.group_index);
    out["chain"] = all_json(flow.chain);
    out["callbacks"] = all_json(flow.callbacks);
    out["errbacks"] = all_json(flow.errbacks);
    out["chord"] = flow.chord ? json::value(as_json(*flow.chord)) : json::value();
    return out;
}

namespace {

// A backend names its serializer nowhere in Redis: each is tried that its first byte does not exclude.
decoded_value read_any(std::string_view bytes, const value_limits& limits) {
    if (bytes.empty()) return {nullptr, "empty", false};
    const auto first = static_cast<unsigned char>(bytes.front());
    if (first == '{' || first == '[')
        if (auto read = read_json(bytes, limits); read.ok()) return read;
    if (first == 0x80 && bytes.ends_with('.')) return read_pickle(bytes, limits);
    if (first >= 0x80)
        if (auto read = read_msgpack(bytes, limits); read.ok()) return read;
    return read_yaml(bytes, limits);
}

}  // namespace

std::optional<group_result> read_group_result(std::string_view member, const value_limits& limits) {
    auto read = read_any(member, limits);
    const auto* items = items_of(&read.value);
    if (!read.ok() || items == nullptr || items->size() != 4) return std::nullopt;
    const auto* id = (*items)[1].if_string();
    const auto* state = (*items)[2].if_string();
    if (id == nullptr || state == nullptr) return std::nullopt;
    return group_result{std::string(*id), std::string(*state), (*items)[3]};
}

std::optional<task_result> read_task_result(std::string_view value, const value_limits& limits) {
    auto read = read_any(value, limits);
    auto* fields = read.value.if_object();
    if (!read.ok() || fields == nullptr) return std::nullopt;
    task_result out{text(*fields, "task_id"), text(*fields, "status"), {}};
    if (out.state.empty()) return std::nullopt;
    out.fields = std::move(*fields);
    return out;
}

}  // namespace broker
