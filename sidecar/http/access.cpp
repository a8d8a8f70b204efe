#include "sidecar/http/access.hpp"

#include "sidecar/config/text.hpp"
#include "sidecar/core/users.hpp"

namespace sidecar {
namespace {

http_response unauthorized(std::string_view detail, std::string_view challenge) {
    http_response answer = problem(401, detail);
    answer.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"sidecar\"" + std::string(challenge));
    return answer;
}

// The token of "Bearer TOKEN", empty if there is none.
std::string_view bearer_token(std::string_view authorization) {
    constexpr std::string_view scheme = "bearer ";
    if (lower_case(authorization.substr(0, scheme.size())) != scheme) return {};
    std::string_view token = authorization.substr(scheme.size());
    while (!token.empty() && token.front() == ' ') token.remove_prefix(1);
    while (!token.empty() && token.back() == ' ') token.remove_suffix(1);
    return token;
}

}  // namespace

std::string host_of(std::string_view authority) {
    std::string_view host = authority.substr(0, authority.rfind(':'));
    if (authority.starts_with('[')) {
        const std::size_t bracket = authority.find(']');
        host = bracket == std::string_view::npos ? std::string_view() : authority.substr(1, bracket - 1);
    }
    return lower_case(host);
}

void access_rules::set_tokens(std::string_view token, std::string_view operator_token) {
    token_hash_ = token.empty() ? std::string() : sha256_hex(token);
    operator_hash_ = operator_token.empty() ? std::string() : sha256_hex(operator_token);
}

std::optional<http_response> access_rules::check(const http_request& request, route_access wanted) const {
    if (wanted == route_access::health) return std::nullopt;
    if (auto refusal = check_origin(request)) return refusal;
    if (any_token()) return check_token(request, wanted);
    if (loopback_) {
        if (is_loopback({host_of(request.host), 0})) return std::nullopt;
        return problem(
            421, "without a token this address answers only to localhost and loopback addresses as Host");
    }
    if (wanted == route_access::metrics) return std::nullopt;
    return problem(403,
                   "reachable from elsewhere, only health and metrics are served without a token; "
                   "configure --http-token or --http-operator-token");
}

std::string_view access_rules::caller(const http_request& request) const {
    if (!any_token()) return "local";
    const std::string hash = sha256_hex(bearer_token(request.authorization));
    return equal_in_constant_time(hash, operator_hash_) ? "operator" : "viewer";
}

// A browser names the page's origin; a page of another host has no business here. The scheme is not compared,
// as a proxy in front may speak TLS.
std::optional<http_response> access_rules::check_origin(const http_request& request) const {
    if (request.origin.empty()) return std::nullopt;
    const std::size_t scheme = request.origin.find("://");
    const std::string_view authority =
        scheme == std::string_view::npos ? std::string_view() : request.origin.substr(scheme + 3);
    if (!authority.empty() && lower_case(authority) == lower_case(request.host)) return std::nullopt;
    return problem(403, "requests of pages from another origin are not served");
}

std::optional<http_response> access_rules::check_token(const http_request& request,
                                                       route_access wanted) const {
    const std::string_view token = bearer_token(request.authorization);
    if (token.empty()) return unauthorized("a bearer token is needed", "");
    const std::string hash = sha256_hex(token);
    const bool reader = equal_in_constant_time(hash, token_hash_);
    const bool operates = equal_in_constant_time(hash, operator_hash_);
    if (operates) return std::nullopt;
    if (!reader) return unauthorized("the bearer token is not known", ", error=\"invalid_token\"");
    if (wanted != route_access::change) return std::nullopt;
    http_response answer = problem(403, "this needs the operator's token");
    answer.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"sidecar\", error=\"insufficient_scope\"");
    return answer;
}

}  // namespace sidecar
