#include "broker/operations.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "broker/scripts.hpp"

namespace broker {

namespace json = boost::json;

namespace {

constexpr std::int64_t unpurge_at_once = 1'000;
constexpr int unpurge_steps_max = 20'000;
constexpr int expired_at_once = 50;

json::string_view view(std::string_view text) {
    return {text.data(), text.size()};
}

std::string text_of(const json::object& about, std::string_view name) {
    const auto* value = about.if_contains(view(name));
    if (value == nullptr || !value->is_string()) return {};
    return {value->get_string().data(), value->get_string().size()};
}

std::string_view end_name(queue_end end) {
    return end == queue_end::head ? "head" : "tail";
}

// Keys and tags may hold any bytes: in JSON they stand as Latin-1, each byte a character.
std::string as_latin1(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            text += c;
        } else {
            text += static_cast<char>(0xC0U | byte >> 6U);
            text += static_cast<char>(0x80U | (byte & 0x3FU));
        }
    }
    return text;
}

std::string from_latin1(std::string_view text) {
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte >= 0xC0 && i + 1 < text.size()) {
            bytes +=
                static_cast<char>((byte & 0x03U) << 6U | (static_cast<unsigned char>(text[++i]) & 0x3FU));
        } else {
            bytes += text[i];
        }
    }
    return bytes;
}

// What stands in the trash: one line of JSON, then the element's bytes.
std::string trash_text(const json::object& about, std::string_view element) {
    return json::serialize(about) + "\n" + std::string(element);
}

std::optional<trashed> parse_trash(std::string id, std::string_view text) {
    const std::size_t line = text.find('\n');
    json::error_code ec;
    const auto value = json::parse(view(text.substr(0, line)), ec);
    if (ec || !value.is_object()) return std::nullopt;
    trashed what{std::move(id), value.get_object(), {}};
    if (line != std::string_view::npos) what.element = text.substr(line + 1);
    return what;
}

change_result failure(const resp::value& reply) {
    return {change_outcome::failed, 0, {}, is_error(reply) ? reply.text : "unexpected answer"};
}

}  // namespace

std::string own_key(std::string_view name) {
    return std::string(own_keys) + std::string(name);
}

operations::operations(redis_port& redis, std::function<std::string()> random_id, operations_limits limits)
    : redis_(redis), random_id_(std::move(random_id)), limits_(limits) {}

resp::value operations::run(std::string_view script, const std::vector<std::string>& keys,
                            std::vector<std::string> arguments) {
    redis_command command{"EVAL", std::string(script), std::to_string(keys.size())};
    command.insert(command.end(), keys.begin(), keys.end());
    command.insert(command.end(), std::make_move_iterator(arguments.begin()),
                   std::make_move_iterator(arguments.end()));
    return redis_.call(command);
}

std::string operations::audit_text(std::string_view action, json::object about,
                                   const change_author& author) const {
    about["action"] = view(action);
    about["by"] = author.by;
    about["at"] = static_cast<double>(author.now_us) / 1e6;
    if (!author.reason.empty()) about["reason"] = author.reason;
    return json::serialize(about);
}

std::string operations::deadline_ms(const change_author& author) const {
    return std::to_string(author.now_us / 1'000 + limits_.trash_ttl_ms);
}

bool operations::trash_has_room() {
    const auto reply = redis_.call({"HLEN", own_key("trash")});
    return reply.integer < static_cast<std::int64_t>(limits_.trash_messages_max);
}

change_result operations::take(const listed_message& message, const std::string& element,
                               const std::string& target_key, queue_end end, std::string_view action,
                               bool keep, const change_author& author) {
    if (keep && !trash_has_room())
        return {change_outcome::failed, 0, {}, "the trash is full; wait for its entries to expire"};
    json::object about{{"queue", as_latin1(message.queue)}, {"tag", as_latin1(message.tag)}};
    if (!target_key.empty()) about["to"] = as_latin1(target_key);
    const std::string id = keep ? random_id_() : std::string();
    if (keep) about["undo"] = id;
    json::object kept = about;
    kept["kind"] = "message";
    kept["key"] = as_latin1(message.key);
    kept["by"] = author.by;
    kept["at"] = static_cast<double>(author.now_us) / 1e6;
    const auto reply =
        run(scripts::take,
            {message.key, target_key.empty() ? message.key : target_key, own_key("trash"),
             own_key("trash_index"), own_key("audit")},
            {message.element, std::to_string(message.position), std::to_string(limits_.depth_max),
             "__sidecar:removed:" + random_id_(), element, std::string(end_name(end)), id,
             keep ? trash_text(kept, message.element) : std::string(), deadline_ms(author),
             audit_text(action, about, author)});
    if (reply.items.empty()) return failure(reply);
    switch (reply.items[0].integer) {
        case 1:
            return {change_outcome::done, 1, id, {}};
        case 2:
            return {change_outcome::too_deep, 0, {}, {}};
        default:
            return {change_outcome::gone, 0, {}, {}};
    }
}

change_result operations::remove(const listed_message& message, const change_author& author) {
    return take(message, {}, {}, queue_end::tail, "delete", true, author);
}

change_result operations::replace(const listed_message& message, const std::string& element,
                                  const std::string& target_key, queue_end end, std::string_view action,
                                  const change_author& author) {
    return take(message, element, target_key, end, action, false, author);
}

change_result operations::mark(const listed_message& message, const std::string& rule_field,
                               const std::string& rule_text, bool keep, std::string_view action,
                               const change_author& author) {
    if (keep && !trash_has_room())
        return {change_outcome::failed, 0, {}, "the trash is full; wait for its entries to expire"};
    json::object about{
        {"queue", as_latin1(message.queue)}, {"tag", as_latin1(message.tag)}, {"marked", true}};
    const std::string id = keep ? random_id_() : std::string();
    if (keep) about["undo"] = id;
    json::object kept = about;
    kept["kind"] = "marked";
    kept["key"] = as_latin1(message.key);
    kept["rule"] = as_latin1(rule_field);
    kept["by"] = author.by;
    kept["at"] = static_cast<double>(author.now_us) / 1e6;
    const auto reply = run(scripts::mark,
                           {message.key, own_key("trash"), own_key("trash_index"), own_key("rules"),
                            own_key("rules_version"), own_key("audit")},
                           {message.element, std::to_string(message.position), id,
                            keep ? trash_text(kept, message.element) : std::string(), deadline_ms(author),
                            rule_field, rule_text, audit_text(action, about, author)});
    if (reply.items.empty()) return failure(reply);
    if (reply.items[0].integer == 0) return {change_outcome::gone, 0, {}, {}};
    return {change_outcome::marked, 1, id, {}};
}

change_result operations::carry_out(const listed_message& message, const std::string& element,
                                    const std::string& target_key) {
    change_author author;
    author.by = "sidecar";
    return take(message, element, target_key, queue_end::tail, "mark carried out", false, author);
}

change_result operations::settle(const broker_layout& layout, const unacked_message& message,
                                 const std::string& element, const std::string& target_key,
                                 std::string_view action, bool keep, const change_author& author) {
    json::object about{{"tag", as_latin1(message.tag)}, {"unacked", as_latin1(layout.unacked)}};
    if (!target_key.empty()) about["to"] = as_latin1(target_key);
    const std::string id = keep ? random_id_() : std::string();
    if (keep) about["undo"] = id;
    json::object kept = about;
    kept["kind"] = "message";
    kept["by"] = author.by;
    kept["at"] = static_cast<double>(author.now_us) / 1e6;
    kept["key"] = as_latin1(target_key);
    const auto reply =
        run(scripts::settle,
            {layout.unacked, layout.unacked_index, target_key.empty() ? layout.unacked : target_key,
             own_key("trash"), own_key("trash_index"), own_key("audit")},
            {message.tag, message.value, keep ? std::string() : element, "head", id,
             keep ? trash_text(kept, element) : std::string(), deadline_ms(author),
             audit_text(action, about, author)});
    if (reply.type != resp::kind::integer) return failure(reply);
    if (reply.integer == 0) return {change_outcome::gone, 0, {}, {}};
    return {change_outcome::done, 1, id, {}};
}

change_result operations::remove_unacked(const broker_layout& layout, const unacked_message& message,
                                         const std::string& element, const std::string& home_key,
                                         const change_author& author) {
    return settle(layout, message, element, home_key, "delete unacked", true, author);
}

change_result operations::restore_unacked(const broker_layout& layout, const unacked_message& message,
                                          const std::string& element, const std::string& target_key,
                                          const change_author& author) {
    return settle(layout, message, element, target_key, "restore", false, author);
}

change_result operations::purge(const broker_layout& layout, const std::string& queue, std::int64_t expected,
                                std::int64_t tolerance, bool keep, const change_author& author) {
    const std::string id = random_id_();
    std::vector<std::string> keys;
    for (const int step : layout.steps) keys.push_back(layout.list_key(queue, step));
    json::array lists;
    for (const auto& key : std::vector<std::string>(keys)) {
        lists.push_back(view(as_latin1(key)));
        keys.push_back(own_key("trash:" + id + ":" + std::to_string(lists.size() - 1)));
    }
    for (const auto* name : {"trash", "trash_index", "audit"}) keys.push_back(own_key(name));
    json::object about{{"queue", as_latin1(queue)}, {"expected", expected}};
    if (keep) about["undo"] = id;
    json::object kept = about;
    kept["kind"] = "purge";
    kept["lists"] = lists;
    kept["by"] = author.by;
    kept["at"] = static_cast<double>(author.now_us) / 1e6;
    const auto reply = run(scripts::purge, keys,
                           {std::to_string(lists.size()), std::to_string(expected), std::to_string(tolerance),
                            keep ? "keep" : "drop", id, trash_text(kept, {}), deadline_ms(author),
                            audit_text("purge", about, author)});
    if (reply.items.size() != 2) return failure(reply);
    const std::int64_t count = reply.items[1].integer;
    if (reply.items[0].integer == 0) return {change_outcome::count_differs, count, {}, {}};
    return {change_outcome::done, count, keep && count > 0 ? id : std::string(), {}};
}

change_result operations::transfer(const std::string& from_key, const std::string& to_key, std::int64_t count,
                                   queue_end end, std::string_view action, const change_author& author) {
    const json::object about{{"from", as_latin1(from_key)}, {"to", as_latin1(to_key)}};
    const auto reply =
        run(scripts::drain, {from_key, to_key, own_key("audit")},
            {std::to_string(count), std::string(end_name(end)), audit_text(action, about, author)});
    if (reply.type != resp::kind::integer) return failure(reply);
    return {change_outcome::done, reply.integer, {}, {}};
}

change_result operations::undo_purge(const trashed& what, const change_author& author) {
    const auto* lists = what.about.if_contains("lists");
    if (lists == nullptr || !lists->is_array()) return {change_outcome::gone, 0, {}, {}};
    std::int64_t restored = 0;
    for (std::size_t i = 0; i < lists->get_array().size(); ++i) {
        const auto& name = lists->get_array()[i];
        if (!name.is_string()) continue;
        const std::string key = from_latin1({name.get_string().data(), name.get_string().size()});
        const std::string kept = own_key("trash:" + what.id + ":" + std::to_string(i));
        const auto count = redis_.call({"LLEN", kept});
        if (is_error(count)) return failure(count);
        restored += count.integer;
        for (int step = 0; step < unpurge_steps_max; ++step) {
            const auto left = run(scripts::unpurge, {kept, key}, {std::to_string(unpurge_at_once)});
            if (left.type != resp::kind::integer) return failure(left);
            if (left.integer == 0) break;
        }
    }
    const std::vector<redis_command> forget{{"HDEL", own_key("trash"), what.id},
                                            {"ZREM", own_key("trash_index"), what.id}};
    (void)redis_.pipeline(forget);
    json::object about{{"undo", what.id}, {"count", restored}};
    audit("undo purge", about, author);
    return {change_outcome::done, restored, {}, {}};
}

change_result operations::undo(const std::string& id, const change_author& author) {
    const auto text = redis_.call({"HGET", own_key("trash"), id});
    if (is_error(text)) return failure(text);
    if (text.type == resp::kind::null) return {change_outcome::gone, 0, {}, {}};
    const auto what = parse_trash(id, text.text);
    if (!what) return {change_outcome::gone, 0, {}, "its entry is not readable"};
    if (text_of(what->about, "kind") == "purge") return undo_purge(*what, author);
    const std::string key = from_latin1(text_of(what->about, "key"));
    if (text_of(what->about, "kind") == "marked") {
        // Still in its place, unless the mark has been carried out.
        const auto unmarked =
            redis_.call({"HDEL", own_key("rules"), from_latin1(text_of(what->about, "rule"))});
        if (unmarked.integer == 1) {
            const std::vector<redis_command> forget{{"INCR", own_key("rules_version")},
                                                    {"HDEL", own_key("trash"), id},
                                                    {"ZREM", own_key("trash_index"), id}};
            (void)redis_.pipeline(forget);
            audit("undo delete", what->about, author);
            return {change_outcome::done, 1, {}, {}};
        }
    }
    json::object about = what->about;
    const auto reply =
        run(scripts::untrash, {own_key("trash"), own_key("trash_index"), key, own_key("audit")},
            {id, text.text, what->element, "head", audit_text("undo delete", std::move(about), author)});
    if (reply.type != resp::kind::integer) return failure(reply);
    if (reply.integer == 0) return {change_outcome::gone, 0, {}, {}};
    return {change_outcome::done, 1, {}, {}};
}

void operations::audit(std::string_view action, const json::object& about, const change_author& author) {
    (void)redis_.call(
        {"XADD", own_key("audit"), "MAXLEN", "~", "10000", "*", "entry", audit_text(action, about, author)});
}

std::vector<audit_entry> operations::audit_entries(const std::string& before, std::size_t limit,
                                                   std::string& error) {
    const auto reply = redis_.call({"XREVRANGE", own_key("audit"), before.empty() ? "+" : "(" + before, "-",
                                    "COUNT", std::to_string(limit)});
    if (is_error(reply)) error = reply.text;
    std::vector<audit_entry> entries;
    for (const auto& item : reply.items) {
        if (item.items.size() != 2 || item.items[1].items.size() < 2) continue;
        json::error_code ec;
        const auto about = json::parse(view(item.items[1].items[1].text), ec);
        if (!ec && about.is_object()) entries.push_back({item.items[0].text, about.get_object()});
    }
    return entries;
}

std::vector<trashed> operations::trash(std::size_t offset, std::size_t limit, std::string& error) {
    const auto ids = redis_.call(
        {"ZREVRANGE", own_key("trash_index"), std::to_string(offset), std::to_string(offset + limit - 1)});
    if (is_error(ids)) error = ids.text;
    std::vector<redis_command> questions;
    for (const auto& id : ids.items) questions.push_back({"HGET", own_key("trash"), id.text});
    const auto texts = redis_.pipeline(questions);
    std::vector<trashed> found;
    for (std::size_t i = 0; i < texts.size(); ++i)
        if (auto what = parse_trash(ids.items[i].text, texts[i].text)) found.push_back(std::move(*what));
    return found;
}

void operations::expire_trash(std::int64_t now_us) {
    const auto ids =
        redis_.call({"ZRANGEBYSCORE", own_key("trash_index"), "-inf", std::to_string(now_us / 1'000), "LIMIT",
                     "0", std::to_string(expired_at_once)});
    for (const auto& id : ids.items) {
        const auto text = redis_.call({"HGET", own_key("trash"), id.text});
        const auto what = parse_trash(id.text, text.text);
        redis_command unlink{"UNLINK"};
        if (what && what->about.contains("lists") && what->about.at("lists").is_array())
            for (std::size_t i = 0; i < what->about.at("lists").get_array().size(); ++i)
                unlink.push_back(own_key("trash:" + id.text + ":" + std::to_string(i)));
        if (unlink.size() > 1) (void)redis_.call(unlink);
        const std::vector<redis_command> forget{{"HDEL", own_key("trash"), id.text},
                                                {"ZREM", own_key("trash_index"), id.text}};
        (void)redis_.pipeline(forget);
    }
}

}  // namespace broker
