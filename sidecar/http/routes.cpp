#include "sidecar/http/routes.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "sidecar/config/text.hpp"

namespace sidecar {
namespace {

struct promised_path {
    std::string_view path;
    std::string_view detail;
};

constexpr std::array<promised_path, 3> promised{{
    {"/", "no page lives here; the dashboard comes with its own feature; see /api/v1/openapi.json"},
    {"/ws", "the WebSocket gateway comes with its own feature"},
    {"/sse", "the server-sent events gateway comes with its own feature"},
}};

// Cuts the next segment off the front of a path that starts with '/'.
std::string_view next_segment(std::string_view& path) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    return segment;
}

// The values of the pattern's {name} segments, or nullopt if the path does not fit it.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
    std::vector<std::string> parameters;
    while (!pattern.empty() && !path.empty()) {
        const std::string_view wanted = next_segment(pattern);
        const std::string_view segment = next_segment(path);
        if (wanted.starts_with('{')) {
            std::optional<std::string> value = percent_decoded(segment);
            if (!value || value->empty()) return std::nullopt;
            parameters.push_back(std::move(*value));
        } else if (wanted != segment) {
            return std::nullopt;
        }
    }
    if (!pattern.empty() || !path.empty()) return std::nullopt;
    return parameters;
}

bool method_fits(const route& entry, std::string_view method) {
    return entry.method == method || (entry.method == "GET" && method == "HEAD");
}

http_response not_found(std::string_view path) {
    const auto known = std::find_if(promised.begin(), promised.end(),
                                    [&](const promised_path& p) { return p.path == path; });
    if (known != promised.end()) return problem(404, known->detail);
    return problem(404, "there is nothing at " + in_quotes(path));
}

}  // namespace

http_routes::http_routes(const endpoint& listen, http_backend backend, const http_counters& counters)
    : access_(listen), backend_(std::move(backend)), counters_(counters) {
    add_own();
}

void http_routes::set_tokens(std::string_view token, std::string_view operator_token) {
    access_.set_tokens(token, operator_token);
}

http_response http_routes::answer(const http_request& request) const {
    routed found = find(request);
    if (found.entry == nullptr) return finished(std::move(found.refusal));
    return finished(
        found.entry->handle({request, std::move(found.parameters), found.query, access_.caller(request)}));
}

http_response http_routes::finished(http_response response) {
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    return response;
}

routed http_routes::find(const http_request& request) const {
    const auto refused = [](http_response answer) { return routed{nullptr, {}, {}, std::move(answer)}; };
    if (!request.target.starts_with('/'))
        return refused(problem(400, "the target of a request must be a path"));
    const std::string_view path = request.target.substr(0, request.target.find('?'));
    const std::string_view query = request.target.substr(std::min(path.size() + 1, request.target.size()));

    std::string allowed;
    route_access strictest = route_access::metrics;
    for (const route& entry : routes_) {
        auto parameters = match(entry.path, path);
        if (!parameters) continue;
        if (method_fits(entry, request.method)) {
            if (auto refusal = access_.check(request, entry.access)) return refused(std::move(*refusal));
            return {&entry, std::move(*parameters), query, {}};
        }
        allowed +=
            (allowed.empty() ? "" : ", ") + std::string(entry.method == "GET" ? "GET, HEAD" : entry.method);
        if (entry.access == route_access::health) strictest = route_access::health;
    }
    // Without its token nobody learns which paths exist.
    if (auto refusal = access_.check(request, strictest)) return refused(std::move(*refusal));
    if (allowed.empty()) return refused(not_found(path));
    http_response response = problem(405, "this path answers to " + allowed);
    response.headers.emplace_back("Allow", allowed);
    return refused(std::move(response));
}

}  // namespace sidecar
