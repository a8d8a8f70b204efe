#pragma once
// Messages as kombu spells them, for tests of what reads them. The golden ones, made by Celery, lie in
// golden/.

#include <string>

namespace tests {

inline const std::string add_headers =
    R"j({"lang": "py", "task": "proj.add", "id": "id-1", "shadow": null, "eta": null, "expires": null,)j"
    R"j( "group": "g-1", "group_index": 2, "retries": 3, "timelimit": [60, 50.5], "root_id": "root-1",)j"
    R"j( "parent_id": null, "argsrepr": "(2, 2)", "kwargsrepr": "{}", "origin": "gen1@vm", )j"
    R"j("ignore_result": true,)j"
    R"j( "replaced_task_nesting": 0, "stamped_headers": ["who"], "stamps": {"who": ["me", 7]}})j";
inline const std::string add_properties =
    R"j({"correlation_id": "id-1", "reply_to": "oid-1", "delivery_mode": 2,)j"
    R"j( "delivery_info": {"exchange": "", "routing_key": "celery"}, "priority": 6,)j"
    R"j( "body_encoding": "base64",)j"
    R"j( "delivery_tag": "tag-1"})j";

// As kombu writes it: body, content-encoding, content-type, headers, properties.
inline std::string message(const std::string& body, const std::string& headers = add_headers,
                           const std::string& properties = add_properties,
                           const std::string& content_type = "application/json") {
    return R"({"body": ")" + body + R"(", "content-encoding": "utf-8", "content-type": ")" + content_type +
           R"(", "headers": )" + headers + R"(, "properties": )" + properties + "}";
}

inline std::string add_message() {
    return message("W1syLCAyXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbH1d");
}

}  // namespace tests
