#pragma once
// Request in, response out: the route table of the control plane. A feature adds its routes with add(); what
// they have in common (access, HEAD, 404, 405, problem documents, OpenAPI) is settled here.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/http/access.hpp"
#include "sidecar/http/backend.hpp"
#include "sidecar/http/counters.hpp"
#include "sidecar/http/message.hpp"

namespace sidecar {

struct route_call {
    const http_request& request;
    std::vector<std::string> parameters;  // of {name} segments in the path, percent-decoded, in order
    std::string_view query;               // after '?', undecoded
    std::string_view caller{};            // as whom: see access_rules::caller
};

// Where a handler runs. What is answered on the control thread may block on Redis for a while; the HTTP
// thread goes on meanwhile.
enum class route_place : std::uint8_t { http, control };

struct route_field {  // of the query
    std::string_view name;
    std::string_view schema;  // JSON
    std::string_view description;
};

struct route {
    std::string_view method;  // "GET" also answers HEAD
    std::string_view path;    // "/api/v1/queues/{name}/messages"
    route_access access = route_access::read;
    std::string_view summary;     // for OpenAPI
    std::string_view media_type;  // of the 200 answer
    std::string_view schema;      // a name among OpenAPI's components; empty = text
    std::function<http_response(const route_call&)> handle;
    route_place place = route_place::http;
    std::vector<route_field> query{};
    std::string_view body{};  // JSON schema of what is sent; empty = nothing
};

// A request that was let in, with the route that answers it; or the answer, where none does.
struct routed {
    const route* entry = nullptr;
    std::vector<std::string> parameters;
    std::string_view query;
    http_response refusal;
};

class http_routes {
public:
    http_routes(const endpoint& listen, http_backend backend, const http_counters& counters);

    void add(route entry) { routes_.push_back(std::move(entry)); }
    void set_tokens(std::string_view token, std::string_view operator_token);

    [[nodiscard]] routed find(const http_request& request) const;
    // What all answers have in common.
    [[nodiscard]] static http_response finished(http_response response);
    // find() and the handler, here and now, wherever its place is.
    // Never throws for what a client sent; a handler's exception is the caller's.
    [[nodiscard]] http_response answer(const http_request& request) const;

    [[nodiscard]] std::string_view caller(const http_request& request) const {
        return access_.caller(request);
    }
    [[nodiscard]] const std::vector<route>& all() const { return routes_; }

private:
    void add_own();

    access_rules access_;
    http_backend backend_;
    const http_counters& counters_;
    std::vector<route> routes_;
};

// The description of these routes as OpenAPI 3.1.
[[nodiscard]] std::string openapi_document(const std::vector<route>& routes);

}  // namespace sidecar
