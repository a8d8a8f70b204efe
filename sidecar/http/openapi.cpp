// OpenAPI 3.1, written from the route table, so that it cannot describe what does not exist.

#include <map>

#include "sidecar/config/text.hpp"
#include "sidecar/http/routes.hpp"
#include "sidecar/net/log_text.hpp"

namespace sidecar {
namespace {

constexpr std::string_view components = R"json({
"securitySchemes":{"token":{"type":"http","scheme":"bearer",
"description":"Needed where the server has a token configured"}},
"responses":{"Problem":{"description":"What is wrong","content":{"application/problem+json":
{"schema":{"$ref":"#/components/schemas/Problem"}}}}},
"schemas":{
"Problem":{"type":"object","required":["type","title","status","detail"],"properties":{
"type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"}}},
"Database":{"type":"object","required":["db","url","ok","state"],"properties":{
"db":{"type":"integer"},"url":{"type":"string","description":"Upstream, its password masked"},
"ok":{"type":"boolean"},"state":{"type":"string"}}},
"Readiness":{"type":"object","required":["ready","databases"],"properties":{
"ready":{"type":"boolean"},
"databases":{"type":"array","items":{"$ref":"#/components/schemas/Database"}}}},
"Status":{"type":"object",
"required":["version","state","uptime_seconds","policy","threads","clients","ready","databases"],
"properties":{
"version":{"type":"string"},"state":{"type":"string","enum":["starting","serving","draining"]},
"uptime_seconds":{"type":"integer"},"policy":{"type":"string","enum":["strict","audit","open"]},
"threads":{"type":"integer"},"clients":{"type":"integer"},"ready":{"type":"boolean"},
"databases":{"type":"array","items":{"$ref":"#/components/schemas/Database"}}}},
"Queue":{"type":"object","required":["name","db","prefix","state","ready","by_priority","unacked","paused"],
"properties":{"name":{"type":"string"},"db":{"type":"integer"},"prefix":{"type":"string"},
"state":{"type":"string","enum":["active","paused","draining"]},"paused":{"type":"boolean"},
"rate":{"type":["number","null"]},"ready":{"type":"integer"},"marked":{"type":"integer"},
"by_priority":{"type":"object","additionalProperties":{"type":"integer"}},
"ready_by_priority":{"type":"object","additionalProperties":{"type":"integer"}},
"unacked":{"type":"integer"},"unacked_by_state":{"type":"object","additionalProperties":{"type":"integer"}},
"unacked_complete":{"type":"boolean"},"oldest_seconds":{"type":["number","null"]},
"consumers":{"type":"integer"},"in_per_second":{"type":"number"},"out_per_second":{"type":"number"},
"ack_per_second":{"type":"number"},"dead":{"type":"integer"},"held":{"type":"integer"}}},
"Queues":{"type":"object","required":["items","next"],"properties":{
"items":{"type":"array","items":{"$ref":"#/components/schemas/Queue"}},"next":{"type":["string","null"]}}},
"Message":{"type":"object","required":["tag","size_bytes"],"properties":{"tag":{"type":["string","null"]},
"id":{"type":["string","null"]},"task":{"type":["string","null"]},"queue":{"type":"string"},
"priority":{"type":["integer","null"]},"position":{"type":"integer"},"size_bytes":{"type":"integer"},
"args":{},"kwargs":{},"undecoded":{"type":["string","null"]},"age_seconds":{"type":["number","null"]},
"state":{"type":"string"},"where":{"type":"string"}}},
"Messages":{"type":"object","required":["items","next"],"properties":{
"items":{"type":"array","items":{"$ref":"#/components/schemas/Message"}},"next":{"type":["string","null"]},
"left_meanwhile":{"type":"integer"},"exact":{"type":"boolean"},"looked_at":{"type":"integer"},
"total":{"type":"integer"}}},
"Page":{"type":"object","required":["items","next"],"properties":{
"items":{"type":"array","items":{"type":"object"}},"next":{"type":["string","null"]}}},
"Task":{"type":"object","required":["id","state","where","messages"],"properties":{"id":{"type":"string"},
"state":{"type":"string"},"where":{"type":"string","enum":["queued","unacked","done","unknown"]},
"messages":{"type":"array","items":{"$ref":"#/components/schemas/Message"}}}},
"Worker":{"type":"object","required":["node","state"],"properties":{"node":{"type":["string","null"]},
"state":{"type":"string","enum":["unknown","online","silent","offline","gone"]},
"address":{"type":["string","null"]},"queues":{"type":"array","items":{"type":"string"}},
"unacked":{"type":"integer"},"active":{"type":["integer","null"]},"processed":{"type":["integer","null"]},
"concurrency":{"type":["integer","null"]},"prefetch":{"type":["integer","null"]},
"last_heartbeat_seconds":{"type":["number","null"]},"last_poll_seconds":{"type":["number","null"]}}},
"Autoscale":{"type":"object","required":["queues","value"],"properties":{"value":{"type":"integer"},
"complete":{"type":"boolean"},
"queues":{"type":"array","items":{"type":"object"}}}},
"Change":{"type":"object","required":["changed"],"properties":{"changed":{"type":"integer"},
"marked":{"type":"integer"},"left":{"type":"integer"},"sockets":{"type":"integer"},
"undo":{"type":["string","null"]},
"gone":{"type":"array","items":{"type":"string"}},"errors":{"type":"array","items":{"type":"object"}}}}
}})json";

std::string schema_of(const route& entry) {
    if (!entry.schema.empty()) return "{\"$ref\":\"#/components/schemas/" + std::string(entry.schema) + "\"}";
    return entry.media_type == "application/json" ? R"({"type":"object"})" : R"({"type":"string"})";
}

std::string content_of(const route& entry) {
    return "{" + json_string(entry.media_type) + ":{\"schema\":" + schema_of(entry) + "}}";
}

std::string path_parameters(std::string_view path) {
    std::string json;
    for (std::size_t open = path.find('{'); open != std::string_view::npos; open = path.find('{', open + 1)) {
        const std::string_view name = path.substr(open + 1, path.find('}', open) - open - 1);
        json += (json.empty() ? "" : ",") + std::string("{\"name\":") + json_string(name) +
                ",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}";
    }
    return json;
}

std::string operation_of(const route& entry) {
    std::string json = json_string(lower_case(entry.method)) + ":{\"summary\":" + json_string(entry.summary);
    std::string parameters = path_parameters(entry.path);
    for (const route_field& field : entry.query)
        parameters += (parameters.empty() ? "" : ",") + std::string("{\"name\":") + json_string(field.name) +
                      ",\"in\":\"query\",\"description\":" + json_string(field.description) +
                      ",\"schema\":" + std::string(field.schema) + "}";
    if (!parameters.empty()) json += ",\"parameters\":[" + parameters + "]";
    if (!entry.body.empty())
        json += ",\"requestBody\":{\"content\":{\"application/json\":{\"schema\":" + std::string(entry.body) +
                "}}}";
    if (entry.access == route_access::health) json += ",\"security\":[]";
    json += ",\"responses\":{\"200\":{\"description\":\"As asked\",\"content\":" + content_of(entry) + "}";
    if (entry.path == "/readyz")
        json += ",\"503\":{\"description\":\"Some upstream is not usable\",\"content\":" + content_of(entry) +
                "}";
    return json + ",\"default\":{\"$ref\":\"#/components/responses/Problem\"}}}";
}

}  // namespace

std::string openapi_document(const std::vector<route>& routes) {
    std::map<std::string_view, std::string> operations;  // a path stands once, with all its methods
    for (const route& entry : routes) {
        std::string& path = operations[entry.path];
        path += (path.empty() ? "" : ",") + operation_of(entry);
    }
    std::string paths;
    for (const auto& [path, text] : operations)
        paths += (paths.empty() ? "" : ",") + json_string(path) + ":{" + text + "}";
    return R"({"openapi":"3.1.0","info":{"title":"Sidecar","description":"Control plane of the proxy",)"
           R"("license":{"name":"MIT","identifier":"MIT"},"version":)" +
           json_string(SIDECAR_VERSION) + R"(},"security":[{"token":[]},{}],"paths":{)" + paths +
           "},\"components\":" + std::string(components) + "}\n";
}

}  // namespace sidecar
