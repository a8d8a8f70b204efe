#include "broker/revoked_result.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "broker/iso_time.hpp"
#include "broker/kombu_names.hpp"

namespace broker {
namespace {

namespace json = boost::json;

std::string_view view(const json::string& text) {
    return {text.data(), text.size()};
}

void append_little_endian(std::string& into, std::size_t number) {
    for (int shift = 0; shift < 32; shift += 8) into += static_cast<char>((number >> shift) & 0xFFU);
}

// Null, texts, arrays and objects of them: there is nothing else in a result of this kind.
void append_pickle(std::string& into, const json::value& value) {
    const auto text = [&](std::string_view bytes) {
        into += 'X';
        append_little_endian(into, bytes.size());
        into += bytes;
    };
    if (const auto* string = value.if_string()) {
        text(view(*string));
    } else if (const auto* array = value.if_array()) {
        into += ']';
        for (const auto& item : *array) {
            append_pickle(into, item);
            into += 'a';
        }
    } else if (const auto* object = value.if_object()) {
        into += '}';
        for (const auto& member : *object) {
            text({member.key().data(), member.key().size()});
            append_pickle(into, member.value());
            into += 's';
        }
    } else {
        into += 'N';
    }
}

void append_msgpack(std::string& into, const json::value& value) {
    const auto text = [&](std::string_view bytes) {
        into += '\xDB';
        for (int shift = 24; shift >= 0; shift -= 8)
            into += static_cast<char>((bytes.size() >> static_cast<unsigned>(shift)) & 0xFFU);
        into += bytes;
    };
    if (const auto* string = value.if_string()) {
        text(view(*string));
    } else if (const auto* array = value.if_array()) {
        into += static_cast<char>(0x90U | array->size());
        for (const auto& item : *array) append_msgpack(into, item);
    } else if (const auto* object = value.if_object()) {
        into += static_cast<char>(0x80U | object->size());
        for (const auto& member : *object) {
            text({member.key().data(), member.key().size()});
            append_msgpack(into, member.value());
        }
    } else {
        into += '\xC0';
    }
}

std::optional<std::string> serialized(const json::value& value, std::string_view content_type) {
    // JSON is YAML.
    if (content_type == "application/json" || content_type == "application/x-yaml")
        return json::serialize(value);
    std::string bytes;
    if (content_type == "application/x-python-serialize") {
        bytes = "\x80\x02";
        append_pickle(bytes, value);
        return bytes + ".";
    }
    if (content_type != "application/x-msgpack") return std::nullopt;
    append_msgpack(bytes, value);
    return bytes;
}

}  // namespace

std::optional<stored_result> revoked_result(const message_head& head, std::int64_t unix_us) {
    if (head.ignore_result || head.id.empty()) return std::nullopt;
    json::object meta{{"status", "REVOKED"}};
    meta["result"] = json::object{{"exc_type", "TaskRevokedError"},
                                  {"exc_message", json::array{"revoked"}},
                                  {"exc_module", "celery.exceptions"}};
    meta["traceback"] = nullptr;
    meta["children"] = json::array();
    meta["date_done"] = iso_time(unix_us);
    if (!head.group_id.empty()) meta["group_id"] = head.group_id;
    if (!head.parent_id.empty()) meta["parent_id"] = head.parent_id;
    meta["task_id"] = head.id;
    auto value = serialized(meta, head.content_type);
    if (!value) return std::nullopt;
    return stored_result{result_key(head.id), std::move(*value)};
}

}  // namespace broker
