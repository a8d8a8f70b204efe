#include "broker/edit_envelope.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "broker/base64.hpp"
#include "broker/envelope.hpp"
#include "broker/json_reader.hpp"
#include "broker/typed_value.hpp"

namespace broker {

namespace json = boost::json;

namespace {

constexpr std::size_t repr_bytes_max = 1024;
constexpr std::size_t depth_max = 200;
constexpr std::string_view kombu_types[] = {"datetime", "date", "time", "decimal", "uuid", "bytes", "base64"};

// Sets one member of the JSON object in `object`, or adds it behind the others.
void set_member(std::string& object, std::string_view name, const std::string& value) {
    const std::string_view old = member(object, name);
    if (!old.empty()) {
        object.replace(static_cast<std::size_t>(old.data() - object.data()), old.size(), value);
        return;
    }
    const auto end = object.rfind('}');
    if (end == std::string::npos) return;
    const auto last = object.find_last_not_of(" \t\r\n", end - 1);
    const bool empty = last == std::string::npos || object[last] == '{';
    object.insert(end, (empty ? "" : ", ") + json::serialize(json::value(json::string(name))) + ": " + value);
}

void set_member(std::string& object, std::string_view name, const json::value& value) {
    set_member(object, name, json::serialize(value));
}

// Makes a value one that kombu reads back; false when there is no such.
bool make_writable(json::value& value, std::size_t depth = 0) {
    if (depth > depth_max) return false;
    std::string_view type;
    if (const json::value* content = typed_content(value, type)) {
        if (type == "tuple") {
            json::value items = *content;
            value = std::move(items);
            return make_writable(value, depth + 1);
        }
        return std::ranges::find(kombu_types, type) != std::end(kombu_types);
    }
    if (auto* items = value.if_array())
        return std::ranges::all_of(*items, [&](json::value& item) { return make_writable(item, depth + 1); });
    if (auto* members = value.if_object())
        for (auto& member : *members)
            if (!make_writable(member.value(), depth + 1)) return false;
    return true;
}

std::string with_delivery_info(std::string properties, const envelope_edit& edit) {
    if (!edit.exchange && !edit.routing_key && !edit.redelivered) return properties;
    std::string info(member(properties, "delivery_info"));
    if (!info.starts_with('{')) info = "{}";
    if (edit.exchange) set_member(info, "exchange", json::value(*edit.exchange));
    if (edit.routing_key) set_member(info, "routing_key", json::value(*edit.routing_key));
    // What was never given again does not say so: only a mark that is there is taken away.
    if (edit.redelivered && (*edit.redelivered || !member(info, "redelivered").empty()))
        set_member(info, "redelivered", json::value(*edit.redelivered));
    set_member(properties, "delivery_info", info);
    return properties;
}

// `element` with the texts of its parts replaced; a part is a view into it.
class splice {
public:
    explicit splice(std::string_view element) : element_(element) {}
    void replace(std::string_view old, std::string by) {
        parts_.push_back({static_cast<std::size_t>(old.data() - element_.data()), old.size(), std::move(by)});
    }
    [[nodiscard]] std::string result() const {
        std::string out(element_);
        auto parts = parts_;
        std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.at > b.at; });
        for (const auto& each : parts) out.replace(each.at, each.size, each.by);
        return out;
    }

private:
    struct part {
        std::size_t at;
        std::size_t size;
        std::string by;
    };
    std::string_view element_;
    std::vector<part> parts_;
};

// An envelope whose parts are JSON throughout: reading passes over what it does not need, and what is broken
// there cannot be edited.
std::optional<envelope> readable(std::string_view element) {
    auto read = read_envelope(element);
    if (!read || !read_json(read->properties).ok()) return std::nullopt;
    if (!read->headers.empty() && !read_json(read->headers).ok()) return std::nullopt;
    return read;
}

// A member of the outermost object, or what stands for it where there is none.
void set_outer(splice& out, std::string_view element, std::string_view name, std::string_view value) {
    const std::string_view old = member(element, name);
    if (!old.empty()) out.replace(old, json::serialize(json::value(json::string(value))));
}

}  // namespace

std::optional<std::string> edit_envelope(std::string_view element, const envelope_edit& edit) {
    const auto read = readable(element);
    if (!read) return std::nullopt;
    std::string properties = with_delivery_info(std::string(read->properties), edit);
    if (edit.tag) set_member(properties, "delivery_tag", json::value(*edit.tag));
    if (edit.priority) set_member(properties, "priority", json::value(*edit.priority));
    std::string headers(read->headers.empty() ? "{}" : read->headers);
    for (const auto& [name, value] : edit.headers) set_member(headers, name, value);
    if (edit.redelivered && (*edit.redelivered || !member(headers, "redelivered").empty()))
        set_member(headers, "redelivered", json::value(*edit.redelivered));
    splice out(element);
    out.replace(read->properties, std::move(properties));
    if (!read->headers.empty()) out.replace(read->headers, std::move(headers));
    return out.result();
}

std::optional<std::string> replace_call(std::string_view element, const new_call& call) {
    const auto read = readable(element);
    if (!read || read->head.task.empty() || read->headers.empty()) return std::nullopt;
    json::value embed = call.embed;
    if (embed.is_null())
        embed = json::object{
            {"callbacks", nullptr}, {"errbacks", nullptr}, {"chain", nullptr}, {"chord", nullptr}};
    json::value body = json::array{call.args, call.kwargs, std::move(embed)};
    if (!make_writable(body)) return std::nullopt;
    std::string headers(read->headers);
    // A tuple, as Celery's own argsrepr shows it.
    set_member(headers, "argsrepr", json::value(python_repr(typed("tuple", call.args), repr_bytes_max)));
    set_member(headers, "kwargsrepr", json::value(python_repr(call.kwargs, repr_bytes_max)));
    if (!read->head.compression.empty()) set_member(headers, "compression", json::value());
    std::string properties(read->properties);
    set_member(properties, "body_encoding", json::value("base64"));
    splice out(element);
    out.replace(read->body, base64_encode(json::serialize(body)));
    out.replace(read->headers, std::move(headers));
    out.replace(read->properties, std::move(properties));
    set_outer(out, element, "content-type", "application/json");
    set_outer(out, element, "content-encoding", "utf-8");
    return out.result();
}

}  // namespace broker
