#include "broker/envelope.hpp"

#include <simdjson.h>

namespace broker {

namespace {

namespace ondemand = simdjson::ondemand;

// simdjson reads beyond the end; the copy gives it room. Kept between calls, as every message passes here;
// what one huge message needed is given back.
struct scratch {
    ondemand::parser parser;
    std::string copy;

    simdjson::padded_string_view padded(std::string_view text) {
        constexpr std::size_t keep_max = std::size_t{1} << 20;
        if (copy.capacity() > keep_max && text.size() < keep_max / 4) std::string().swap(copy);
        copy.clear();
        copy.reserve(text.size() + simdjson::SIMDJSON_PADDING);
        copy.append(text);
        return simdjson::padded_string_view(copy.data(), copy.size(), copy.capacity());
    }
};

scratch& scratch_of_thread() {
    thread_local scratch one;
    return one;
}

// The part of `source` at the place where `part` lies in the copy of it; empty for what is absent.
std::string_view in_source(std::string_view part, const std::string& copy, std::string_view source) {
    if (part.data() == nullptr) return {};
    const auto at = static_cast<std::size_t>(part.data() - copy.data());
    return source.substr(at, part.size());
}

std::string_view without_trailing_space(std::string_view text) {
    while (!text.empty() &&
           (text.back() == ' ' || text.back() == '\n' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

void take(ondemand::value value, std::string& out) {
    std::string_view text;
    out.clear();
    if (value.get_string().get(text) == simdjson::SUCCESS) out = text;
}

void take(ondemand::value value, std::int64_t& out) {
    std::int64_t number = 0;
    if (value.get_int64().get(number) == simdjson::SUCCESS) out = number;
}

void take(ondemand::value value, std::optional<std::int64_t>& out) {
    std::int64_t number = 0;
    out.reset();
    if (value.get_int64().get(number) == simdjson::SUCCESS) out = number;
}

void take(ondemand::value value, bool& out) {
    bool flag = false;
    if (value.get_bool().get(flag) == simdjson::SUCCESS) out = flag;
}

void take(ondemand::value value, time_limits& out) {
    ondemand::array items;
    if (value.get_array().get(items) != simdjson::SUCCESS) return;
    std::size_t at = 0;
    for (auto item : items) {
        double seconds = 0;
        if (item.get_double().get(seconds) == simdjson::SUCCESS)
            (at == 0 ? out.hard_s : out.soft_s) = seconds;
        if (++at == 2) break;
    }
}

// A scalar's text, whatever its type.
std::string scalar_text(ondemand::value value) {
    std::string_view text;
    if (value.get_string().get(text) == simdjson::SUCCESS) return std::string(text);
    return std::string(without_trailing_space(value.raw_json_token()));
}

constexpr std::size_t stamps_max = 64;

void take(ondemand::value value, std::vector<stamp>& out) {
    ondemand::object members;
    out.clear();
    if (value.get_object().get(members) != simdjson::SUCCESS) return;
    for (auto field : members) {
        std::string_view name;
        ondemand::value inner;
        if (field.unescaped_key().get(name) != simdjson::SUCCESS || out.size() >= stamps_max) return;
        stamp& one = out.emplace_back(stamp{std::string(name), {}});
        if (field.value().get(inner) != simdjson::SUCCESS) return;
        ondemand::array items;
        if (inner.get_array().get(items) != simdjson::SUCCESS) {
            one.values.push_back(scalar_text(inner));
            continue;
        }
        for (auto item : items) {
            if (item.error() != simdjson::SUCCESS || one.values.size() >= stamps_max) return;
            one.values.push_back(scalar_text(item.value_unsafe()));
        }
    }
}

// False when the JSON breaks off between two members.
template <class Visit>
bool each_member(ondemand::object members, Visit&& visit) {
    for (auto field : members) {
        std::string_view name;
        ondemand::value inner;
        if (field.unescaped_key().get(name) != simdjson::SUCCESS) return false;
        if (field.value().get(inner) != simdjson::SUCCESS) return false;
        visit(name, inner);
    }
    return true;
}

void take_header(message_head& head, std::string_view name, ondemand::value value) {
    using text_field = std::pair<std::string_view, std::string message_head::*>;
    static constexpr text_field texts[] = {{"task", &message_head::task},
                                           {"id", &message_head::id},
                                           {"root_id", &message_head::root_id},
                                           {"parent_id", &message_head::parent_id},
                                           {"group", &message_head::group_id},
                                           {"origin", &message_head::origin},
                                           {"shadow", &message_head::shadow},
                                           {"eta", &message_head::eta},
                                           {"expires", &message_head::expires},
                                           {"argsrepr", &message_head::argsrepr},
                                           {"kwargsrepr", &message_head::kwargsrepr},
                                           {"compression", &message_head::compression},
                                           {"hostname", &message_head::hostname},
                                           {"ticket", &message_head::ticket}};
    for (const auto& [key, field] : texts)
        if (name == key) return take(value, head.*field);
    if (name == "retries") return take(value, head.retries);
    if (name == "group_index") return take(value, head.group_index);
    if (name == "timelimit") return take(value, head.limits);
    if (name == "stamps") return take(value, head.stamps);
    if (name == "ignore_result") return take(value, head.ignore_result);
    if (name == "redelivered") take(value, head.redelivered);
}

void take_delivery_info(message_head& head, ondemand::value value) {
    ondemand::object members;
    if (value.get_object().get(members) != simdjson::SUCCESS) return;
    bool again = false;
    each_member(members, [&](std::string_view name, ondemand::value inner) {
        if (name == "exchange") return take(inner, head.exchange);
        if (name == "routing_key") return take(inner, head.routing_key);
        if (name == "redelivered") take(inner, again);
    });
    head.redelivered = head.redelivered || again;
}

void take_property(message_head& head, std::string_view name, ondemand::value value) {
    if (name == "delivery_tag") return take(value, head.tag);
    if (name == "correlation_id") return take(value, head.correlation_id);
    if (name == "reply_to") return take(value, head.reply_to);
    if (name == "body_encoding") return take(value, head.body_encoding);
    if (name == "priority") return take(value, head.priority);
    if (name == "delivery_info") take_delivery_info(head, value);
}

// The raw parts point into the copy that is being read.
struct reading {
    message_head head;
    std::string_view body, headers, properties;
    bool has_body = false;
};

// Goes over the members of headers or properties and says what their JSON text is.
template <class Visit>
std::string_view raw_and_members(ondemand::value value, Visit&& visit) {
    ondemand::object members;
    std::string_view text;
    if (value.get_object().get(members) != simdjson::SUCCESS) return {};
    if (members.raw_json().get(text) != simdjson::SUCCESS) return {};
    if (members.reset().error() != simdjson::SUCCESS || !each_member(members, visit)) return {};
    return without_trailing_space(text);
}

std::string_view string_token(ondemand::value value) {
    std::string_view token = without_trailing_space(value.raw_json_token());
    const bool quoted = token.size() >= 2 && token.front() == '"' && token.back() == '"';
    return quoted ? token.substr(1, token.size() - 2) : std::string_view{};
}

void take_outer(reading& out, std::string_view name, ondemand::value value) {
    message_head& head = out.head;
    if (name == "headers") {
        out.headers = raw_and_members(
            value, [&](std::string_view key, ondemand::value inner) { take_header(head, key, inner); });
    } else if (name == "properties") {
        out.properties = raw_and_members(
            value, [&](std::string_view key, ondemand::value inner) { take_property(head, key, inner); });
    } else if (name == "content-type") {
        take(value, head.content_type);
    } else if (name == "content-encoding") {
        take(value, head.content_encoding);
    } else if (name == "body") {
        out.body = string_token(value);
        out.has_body = out.body.data() != nullptr;
    }
}

// The object itself, or the first item of an array.
bool outer_object(ondemand::document& document, ondemand::object& out) {
    if (document.get_object().get(out) == simdjson::SUCCESS) return true;
    ondemand::array items;
    if (document.get_array().get(items) != simdjson::SUCCESS) return false;
    for (auto item : items) return item.get_object().get(out) == simdjson::SUCCESS;
    return false;
}

std::optional<reading> read_outer(std::string_view text, scratch& work) {
    ondemand::document document;
    ondemand::object members;
    if (work.parser.iterate(work.padded(text)).get(document) != simdjson::SUCCESS) return std::nullopt;
    if (!outer_object(document, members)) return std::nullopt;
    reading out;
    const bool whole = each_member(
        members, [&](std::string_view name, ondemand::value value) { take_outer(out, name, value); });
    if (!whole) return std::nullopt;
    if (out.head.id.empty()) out.head.id = out.head.correlation_id;
    if (out.properties.empty() || out.head.tag.empty()) return std::nullopt;
    return out;
}

}  // namespace

std::optional<message_head> read_head(std::string_view text) {
    auto got = read_outer(text, scratch_of_thread());
    if (!got) return std::nullopt;
    return std::move(got->head);
}

std::optional<envelope> read_envelope(std::string_view element) {
    scratch& work = scratch_of_thread();
    auto got = read_outer(element, work);
    if (!got || !got->has_body || element.find_first_not_of(" \t\r\n") != element.find('{'))
        return std::nullopt;
    const auto placed = [&](std::string_view part) { return in_source(part, work.copy, element); };
    return envelope{std::move(got->head), placed(got->body), placed(got->headers), placed(got->properties)};
}

std::optional<unacked_entry> read_unacked(std::string_view value) {
    scratch& work = scratch_of_thread();
    ondemand::document document;
    ondemand::array items;
    if (work.parser.iterate(work.padded(value)).get(document) != simdjson::SUCCESS) return std::nullopt;
    if (document.get_array().get(items) != simdjson::SUCCESS) return std::nullopt;
    unacked_entry out;
    std::size_t at = 0;
    for (auto item : items) {
        if (item.error() != simdjson::SUCCESS) return std::nullopt;
        const ondemand::value each = item.value_unsafe();
        if (at == 0) {
            const auto raw = raw_and_members(each, [](std::string_view, ondemand::value) {});
            out.element = in_source(raw, work.copy, value);
        } else {
            take(each, at == 1 ? out.exchange : out.routing_key);
        }
        if (++at == 3) break;
    }
    if (at != 3 || out.element.empty()) return std::nullopt;
    auto message = read_envelope(out.element);
    if (!message) return std::nullopt;
    out.message = std::move(*message);
    return out;
}

std::string_view member(std::string_view object, std::string_view name) {
    scratch& work = scratch_of_thread();
    ondemand::document document;
    ondemand::object members;
    if (work.parser.iterate(work.padded(object)).get(document) != simdjson::SUCCESS) return {};
    if (document.get_object().get(members) != simdjson::SUCCESS) return {};
    std::string_view found;
    each_member(members, [&](std::string_view key, ondemand::value value) {
        if (key != name) return;
        ondemand::json_type type{};
        std::string_view text;
        if (value.type().get(type) != simdjson::SUCCESS) return;
        if (type == ondemand::json_type::object) {
            text = raw_and_members(value, [](std::string_view, ondemand::value) {});
        } else if (type == ondemand::json_type::array) {
            ondemand::array items;
            if (value.get_array().get(items) == simdjson::SUCCESS &&
                items.raw_json().get(text) != simdjson::SUCCESS)
                text = {};
        } else {
            text = value.raw_json_token();
        }
        if (!text.empty()) found = in_source(without_trailing_space(text), work.copy, object);
    });
    return found;
}

}  // namespace broker
