#include <catch2/catch.hpp>

#include <algorithm>
#include <boost/json/src.hpp>

#include "sidecar/http/routes.hpp"

using namespace sidecar;
namespace json = boost::json;

namespace {

const endpoint loopback{"127.0.0.1", 8379};
const endpoint everywhere{"*", 8379};

http_backend backend_with(readiness state) {
    return {[] { return std::string("sidecar_clients 3\n"); }, [state] { return state; },
            [] {
                return process_status{7, "strict", 2, 3, "serving"};
            }};
}

const readiness all_ready{true, {{0, "redis://h:1", "ready", true}}};
const readiness one_down{
    false, {{0, "redis://h:1", "ready", true}, {2, "redis://:***@b:1", "wrong password", false}}};

class fixture {
public:
    explicit fixture(const endpoint& listen, readiness state = all_ready)
        : routes(listen, backend_with(std::move(state)), counters) {}

    http_response get(std::string_view target, std::string_view authorization = "",
                      std::string_view host = "127.0.0.1:8379", std::string_view origin = "") const {
        return routes.answer({"GET", target, host, origin, authorization, ""});
    }
    unsigned status(std::string_view target, std::string_view authorization = "") const {
        return get(target, authorization).status;
    }

    http_counters counters;
    http_routes routes;
};

std::string header(const http_response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers)
        if (key == name) return value;
    return "";
}

}  // namespace

TEST_CASE("health says ok while the process lives, even when no upstream does", "[http]") {
    const http_response response = fixture(loopback, one_down).get("/healthz");
    CHECK(response.status == 200);
    CHECK(response.body == "ok\n");
    CHECK(header(response, "Cache-Control") == "no-store");
}

TEST_CASE("readiness says which db is not usable and why", "[http]") {
    CHECK(fixture(loopback).status("/readyz") == 200);
    const http_response response = fixture(loopback, one_down).get("/readyz");
    CHECK(response.status == 503);
    CHECK(json::parse(response.body) == json::parse(R"({"ready":false,"databases":[
        {"db":0,"url":"redis://h:1","ok":true,"state":"ready"},
        {"db":2,"url":"redis://:***@b:1","ok":false,"state":"wrong password"}]})"));
}

TEST_CASE("metrics are Prometheus text, the server's own included", "[http]") {
    fixture server(loopback);
    server.counters.responses[200] = 5;
    server.counters.connections_refused = 2;
    const http_response response = server.get("/metrics");
    CHECK(response.status == 200);
    CHECK(response.content_type == "text/plain; version=0.0.4; charset=utf-8");
    for (const char* line :
         {"sidecar_clients 3\n", "sidecar_http_responses_total{code=\"200\"} 5\n",
          "sidecar_http_connections_refused_total 2\n", "# TYPE sidecar_http_connections gauge\n"})
        CHECK(response.body.find(line) != std::string::npos);
}

TEST_CASE("status tells version, policy and dbs", "[http]") {
    const json::object status =
        json::parse(fixture(loopback, one_down).get("/api/v1/status").body).as_object();
    CHECK(status.at("version") == SIDECAR_VERSION);
    CHECK(status.at("policy") == "strict");
    CHECK(status.at("uptime_seconds") == 7);
    CHECK(status.at("ready") == false);
    CHECK(status.at("databases").as_array().size() == 2);
}

TEST_CASE("the OpenAPI document describes every route, and its references lead somewhere", "[http]") {
    const fixture server(loopback);
    const http_response response = server.get("/api/v1/openapi.json");
    const json::value document = json::parse(response.body);
    CHECK(document.at("openapi") == "3.1.0");
    for (const route& entry : server.routes.all()) {
        INFO(entry.path);
        std::string method(entry.method);
        std::transform(method.begin(), method.end(), method.begin(), [](char c) { return c | 0x20; });
        const json::object& paths = document.at("paths").as_object();
        REQUIRE(paths.contains(std::string(entry.path)));
        const json::object& operation = paths.at(std::string(entry.path)).at(method).as_object();
        CHECK(std::string_view(operation.at("summary").as_string()) == entry.summary);
        CHECK(operation.at("responses").as_object().contains("200"));
    }
    for (std::size_t at = response.body.find("\"$ref\":\"#"); at != std::string::npos;
         at = response.body.find("\"$ref\":\"#", at + 1)) {
        const std::size_t start = at + 9;
        const std::string pointer = response.body.substr(start, response.body.find('"', start) - start);
        boost::system::error_code ec;
        INFO(pointer);
        CHECK(document.find_pointer(pointer, ec) != nullptr);
    }
}

TEST_CASE("a route's path parameters reach its handler decoded and the document", "[http]") {
    fixture server(loopback);
    server.routes.add(
        {"GET", "/api/v1/queues/{name}/messages", route_access::read, "Messages", "application/json", "",
         [](const route_call& call) {
             return http_response{200, "text/plain", call.parameters[0] + "?" + std::string(call.query), {}};
         }});
    CHECK(server.get("/api/v1/queues/a%2Fb/messages?limit=5").body == "a/b?limit=5");
    CHECK(server.status("/api/v1/queues/a/b/messages") == 404);
    CHECK(server.status("/api/v1/queues//messages") == 404);
    CHECK(server.status("/api/v1/queues/%zz/messages") == 404);
    CHECK(server.status("/api/v1/queues/a") == 404);
    const json::value document = json::parse(openapi_document(server.routes.all()));
    CHECK(document.at("paths")
              .at("/api/v1/queues/{name}/messages")
              .at("get")
              .at("parameters")
              .at(0)
              .at("name") == "name");
}

TEST_CASE("what comes with other features is a 404 that says so", "[http]") {
    const fixture server(loopback);
    for (const char* path : {"/", "/ws", "/sse", "/ws?x=1"}) {
        const http_response response = server.get(path);
        CHECK(response.status == 404);
        CHECK(response.content_type == "application/problem+json");
        CHECK(response.body.find("its own feature") != std::string::npos);
    }
}

TEST_CASE("everything else is a 404 problem that names the path", "[http]") {
    const fixture server(loopback);
    for (const char* path :
         {"/nothing", "/api/v1", "/healthz/", "/healthz/x", "//healthz", "/HEALTHZ", "/api/v1/\n\""}) {
        const http_response response = server.get(path);
        CHECK(response.status == 404);
        CHECK(json::parse(response.body).at("status") == 404);
    }
    CHECK(server.get("/nothing").body.find("'/nothing'") != std::string::npos);
}

TEST_CASE("only GET and HEAD are answered so far", "[http]") {
    const fixture server(loopback);
    const std::string_view host = "localhost";
    CHECK(server.routes.answer({"HEAD", "/healthz", host, "", "", ""}).status == 200);
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get", "NONSENSE"}) {
        const http_response response = server.routes.answer({method, "/metrics", host, "", "", ""});
        CHECK(response.status == 405);
        CHECK(header(response, "Allow") == "GET, HEAD");
    }
    CHECK(server.routes.answer({"OPTIONS", "*", host, "", "", ""}).status == 400);
    CHECK(server.routes.answer({"GET", "http://elsewhere/", host, "", "", ""}).status == 400);
    CHECK(server.routes.answer({"GET", "", host, "", "", ""}).status == 400);
}

TEST_CASE("without a token, loopback is served under the names of localhost only", "[http]") {
    const fixture server(loopback);
    for (const char* host : {"127.0.0.1:8379", "localhost", "LOCALHOST:1", "[::1]:8379", "127.0.0.2"})
        CHECK(server.get("/metrics", "", host).status == 200);
    for (const char* host :
         {"evil.example", "evil.example:8379", "10.0.0.1", "", "localhost.evil.example", "[::2]:1"}) {
        CHECK(server.get("/metrics", "", host).status == 421);
        CHECK(server.get("/api/v1/status", "", host).status == 421);
        CHECK(server.get("/healthz", "", host).status == 200);
    }
}

TEST_CASE("pages of another origin are refused", "[http]") {
    const fixture server(loopback);
    const std::string_view host = "localhost:8379";
    CHECK(server.get("/api/v1/status", "", host, "http://localhost:8379").status == 200);
    CHECK(server.get("/api/v1/status", "", host, "https://LOCALHOST:8379").status == 200);
    for (const char* origin :
         {"http://evil.example", "http://localhost:9999", "null", "localhost:8379", "http://"}) {
        CHECK(server.get("/api/v1/status", "", host, origin).status == 403);
        CHECK(server.get("/metrics", "", host, origin).status == 403);
    }
}

TEST_CASE("without a token, what listens elsewhere serves health and metrics only", "[http]") {
    const fixture server(everywhere);
    const std::string_view host = "sidecar.example:8379";
    CHECK(server.get("/healthz", "", host).status == 200);
    CHECK(server.get("/readyz", "", host).status == 200);
    CHECK(server.get("/metrics", "", host).status == 200);
    CHECK(server.get("/api/v1/status", "", host).status == 403);
    CHECK(server.get("/api/v1/openapi.json", "", host).status == 403);
    CHECK(server.get("/api/v1/status", "", "127.0.0.1").status == 403);
    CHECK(server.get("/ws", "", host).status == 404);
}

TEST_CASE("with any token configured everything but health needs one", "[http]") {
    for (const endpoint& listen : {loopback, everywhere}) {
        fixture server(listen);
        server.routes.set_tokens("reader", "");
        CHECK(server.status("/healthz") == 200);
        CHECK(server.status("/readyz") == 200);
        for (const char* path :
             {"/metrics", "/api/v1/status", "/api/v1/openapi.json", "/", "/ws", "/nothing"}) {
            const http_response response = server.get(path);
            CHECK(response.status == 401);
            CHECK(header(response, "WWW-Authenticate").starts_with("Bearer"));
        }
        CHECK(server.get("/metrics", "Bearer reader", "sidecar.example").status == 200);
        CHECK(server.status("/api/v1/status", "bearer  reader ") == 200);
        CHECK(server.status("/nothing", "Bearer reader") == 404);
        for (const char* wrong : {"Bearer", "Bearer ", "Bearer other", "Bearer reader2", "Bearer reade",
                                  "reader", "Basic cmVhZGVy", "BearerX reader"})
            CHECK(server.status("/metrics", wrong) == 401);
        CHECK(server.routes.answer({"POST", "/metrics", "localhost", "", "", ""}).status == 401);
    }
}

TEST_CASE("the operator's token also reads, and it alone changes things", "[http]") {
    fixture server(everywhere);
    server.routes.add({"POST", "/api/v1/change", route_access::change, "Change", "application/json", "",
                       [](const route_call&) {
                           return http_response{200, "text/plain", "done", {}};
                       }});
    const auto change = [&](std::string_view authorization) {
        return server.routes.answer({"POST", "/api/v1/change", "h", "", authorization, ""}).status;
    };
    CHECK(change("") == 403);
    server.routes.set_tokens("reader", "operator");
    CHECK(server.status("/api/v1/status", "Bearer operator") == 200);
    CHECK(server.status("/api/v1/status", "Bearer reader") == 200);
    CHECK(change("Bearer operator") == 200);
    CHECK(change("Bearer reader") == 403);
    CHECK(change("") == 401);
    server.routes.set_tokens("reader", "");
    CHECK(change("Bearer reader") == 403);
    CHECK(change("Bearer operator") == 401);
    server.routes.set_tokens("", "operator");
    CHECK(server.status("/api/v1/status") == 401);
    CHECK(server.status("/api/v1/status", "Bearer operator") == 200);
    CHECK(server.status("/api/v1/status", "Bearer ") == 401);
}

TEST_CASE("on loopback without a token things can be changed, from localhost's own pages", "[http]") {
    fixture server(loopback);
    server.routes.add({"POST", "/api/v1/change", route_access::change, "Change", "application/json", "",
                       [](const route_call&) {
                           return http_response{200, "text/plain", "done", {}};
                       }});
    CHECK(server.routes.answer({"POST", "/api/v1/change", "localhost", "", "", ""}).status == 200);
    CHECK(server.routes.answer({"POST", "/api/v1/change", "evil.example", "", "", ""}).status == 421);
    CHECK(
        server.routes.answer({"POST", "/api/v1/change", "localhost", "http://evil.example", "", ""}).status ==
        403);
}
