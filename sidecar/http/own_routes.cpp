// The routes the process always has: health, readiness, metrics, status, OpenAPI.

#include "sidecar/http/routes.hpp"
#include "sidecar/net/log_text.hpp"

namespace sidecar {
namespace {

constexpr std::string_view prometheus_type = "text/plain; version=0.0.4; charset=utf-8";

std::string databases_json(const readiness& state) {
    std::string json = "[";
    for (const database_state& database : state.databases) {
        if (json.size() > 1) json += ',';
        json += "{\"db\":" + std::to_string(database.db) + ",\"url\":" + json_string(database.url_masked) +
                ",\"ok\":" + (database.ok ? "true" : "false") + ",\"state\":" + json_string(database.state) +
                "}";
    }
    return json + "]";
}

http_response ready_response(const readiness& state) {
    http_response response;
    response.status = state.ok ? 200 : 503;
    response.body = std::string("{\"ready\":") + (state.ok ? "true" : "false") +
                    ",\"databases\":" + databases_json(state) + "}\n";
    return response;
}

http_response status_response(const process_status& status, const readiness& state) {
    http_response response;
    response.body =
        "{\"version\":" + json_string(SIDECAR_VERSION) + ",\"state\":" + json_string(status.state) +
        ",\"uptime_seconds\":" + std::to_string(status.uptime_seconds) +
        ",\"policy\":" + json_string(status.policy) + ",\"threads\":" + std::to_string(status.threads) +
        ",\"clients\":" + std::to_string(status.clients) + ",\"ready\":" + (state.ok ? "true" : "false") +
        ",\"databases\":" + databases_json(state) + "}\n";
    return response;
}

}  // namespace

void http_routes::add_own() {
    add({"GET", "/healthz", route_access::health, "Whether the process is alive", "text/plain", "",
         [](const route_call&) {
             return http_response{200, "text/plain; charset=utf-8", "ok\n", {}};
         }});
    add({"GET", "/readyz", route_access::health, "Whether every upstream is usable, and which is not",
         "application/json", "Readiness",
         [this](const route_call&) { return ready_response(backend_.ready()); }});
    add({"GET", "/metrics", route_access::metrics, "Metrics in Prometheus text format", "text/plain", "",
         [this](const route_call&) {
             return http_response{
                 200, std::string(prometheus_type), backend_.metrics_text() + counters_.text(), {}};
         }});
    add({"GET", "/api/v1/status", route_access::read, "Version, policy and the state of every db",
         "application/json", "Status",
         [this](const route_call&) { return status_response(backend_.status(), backend_.ready()); }});
    add({"GET", "/api/v1/openapi.json", route_access::read, "This description", "application/json", "",
         [this](const route_call&) {
             return http_response{200, "application/json", openapi_document(routes_), {}};
         }});
}

}  // namespace sidecar
