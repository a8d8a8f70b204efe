#include "broker/rule_book.hpp"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "broker/broker_layout.hpp"

namespace broker {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, rule_kinds> names{
    "pause", "drain", "rate", "hold", "task-rate", "revoke-task", "revoke", "revoke-stamp", "mark"};
constexpr std::string_view scan_count = "500";
constexpr int scans_max = 500;
constexpr std::size_t expired_at_once = 200;

const std::string hash_key = std::string(own_keys) + "rules";
const std::string version_key = std::string(own_keys) + "rules_version";

std::string text_at(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
    if (value == nullptr || !value->is_string()) return {};
    return {value->get_string().data(), value->get_string().size()};
}

std::optional<double> number_at(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
    if (value == nullptr || !value->is_number()) return std::nullopt;
    return value->to_number<double>();
}

std::optional<rule> parse_rule(std::string_view text) {
    json::error_code ec;
    const auto value = json::parse(json::string_view(text.data(), text.size()), ec);
    if (ec || !value.is_object()) return std::nullopt;
    const auto& object = value.get_object();
    rule parsed;
    parsed.per_second = number_at(object, "per_second").value_or(0);
    parsed.list = text_at(object, "list");
    parsed.target = text_at(object, "target");
    parsed.by = text_at(object, "by");
    parsed.reason = text_at(object, "reason");
    parsed.at = number_at(object, "at").value_or(0);
    parsed.expires = number_at(object, "expires");
    return parsed;
}

}  // namespace

std::string_view name_of(rule_kind kind) {
    return names[static_cast<std::size_t>(kind)];
}

std::optional<rule_kind> rule_kind_of(std::string_view name) {
    const auto* found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<rule_kind>(found - names.begin());
}

std::string field_of(rule_kind kind, std::string_view subject) {
    return std::string(name_of(kind)) + ":" + std::string(subject);
}

std::string text_of(const rule& value) {
    return json::serialize(as_json(value));
}

json::object as_json(const rule& value) {
    json::object object{{"by", value.by}, {"at", value.at}};
    if (!value.reason.empty()) object["reason"] = value.reason;
    if (value.per_second > 0) object["per_second"] = value.per_second;
    if (!value.list.empty()) object["list"] = value.list;
    if (!value.target.empty()) object["target"] = value.target;
    if (value.expires) object["expires"] = *value.expires;
    return object;
}

void rule_book::put(rule_kind kind, const std::string& subject, const rule& value) {
    drop(kind, subject);
    rules_[static_cast<std::size_t>(kind)][subject] = value;
    if (kind == rule_kind::mark) ++marked_[value.list];
}

void rule_book::drop(rule_kind kind, std::string_view subject) {
    auto& rules = rules_[static_cast<std::size_t>(kind)];
    const auto it = rules.find(subject);
    if (it == rules.end()) return;
    if (kind == rule_kind::mark) --marked_[it->second.list];
    rules.erase(it);
}

bool rule_book::refresh() {
    const auto version = redis_.call({"GET", version_key});
    if (is_error(version) || (loaded_ && version.text == version_)) return false;
    std::vector<std::pair<std::string, std::string>> read;
    std::string cursor = "0";
    for (int i = 0; i < scans_max && read.size() < rules_max; ++i) {
        const auto part = redis_.call({"HSCAN", hash_key, cursor, "COUNT", scan_count});
        if (part.items.size() != 2) return false;
        const auto& pairs = part.items[1].items;
        for (std::size_t at = 0; at + 1 < pairs.size(); at += 2)
            read.emplace_back(pairs[at].text, pairs[at + 1].text);
        cursor = part.items[0].text;
        if (cursor == "0") break;
    }
    for (auto& rules : rules_) rules.clear();
    marked_.clear();
    for (const auto& [field, text] : read) {
        const std::size_t colon = field.find(':');
        const auto kind = rule_kind_of(std::string_view(field).substr(0, colon));
        const auto value = parse_rule(text);
        if (kind && value && colon != std::string::npos) put(*kind, field.substr(colon + 1), *value);
    }
    version_ = version.text;
    loaded_ = true;
    return true;
}

std::string rule_book::set(rule_kind kind, const std::string& subject, const rule& value) {
    if (size() >= rules_max) return "there are too many rules";
    // A Redis that was emptied must not come to a version that was known before.
    const std::string first = std::to_string(static_cast<std::int64_t>(value.at * 1e3));
    const std::vector<redis_command> commands{
        {"HSET", hash_key, field_of(kind, subject), json::serialize(as_json(value))},
        {"SETNX", version_key, first},
        {"INCR", version_key}};
    for (const auto& reply : redis_.pipeline(commands))
        if (is_error(reply)) return reply.text;
    put(kind, subject, value);
    return {};
}

std::string rule_book::clear(rule_kind kind, const std::string& subject) {
    const std::vector<redis_command> commands{{"HDEL", hash_key, field_of(kind, subject)},
                                              {"INCR", version_key}};
    for (const auto& reply : redis_.pipeline(commands))
        if (is_error(reply)) return reply.text;
    drop(kind, subject);
    return {};
}

void rule_book::expire(double now) {
    std::vector<std::pair<rule_kind, std::string>> over;
    for (std::size_t kind = 0; kind < rule_kinds; ++kind)
        for (const auto& [subject, value] : rules_[kind])
            if (value.expires && *value.expires <= now && over.size() < expired_at_once)
                over.emplace_back(static_cast<rule_kind>(kind), subject);
    for (const auto& [kind, subject] : over) (void)clear(kind, subject);
}

const rule* rule_book::find(rule_kind kind, std::string_view subject) const {
    const auto& rules = all(kind);
    const auto it = rules.find(subject);
    return it == rules.end() ? nullptr : &it->second;
}

std::size_t rule_book::size() const {
    std::size_t sum = 0;
    for (const auto& rules : rules_) sum += rules.size();
    return sum;
}

std::uint64_t rule_book::marked_in(std::string_view list) const {
    const auto it = marked_.find(list);
    return it == marked_.end() ? 0 : it->second;
}

}  // namespace broker
