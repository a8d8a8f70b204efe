// Addresses and Redis URLs, to text and back.

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>

#include "sidecar/config/config.hpp"
#include "sidecar/config/parse.hpp"
#include "sidecar/config/text.hpp"

namespace sidecar {
namespace {

constexpr std::string_view tcp_prefix = "redis://";
constexpr std::string_view tls_prefix = "rediss://";
constexpr std::string_view unix_prefix = "unix://";

std::string host_and_port(const std::string& host, std::uint16_t port) {
    const bool ipv6 = host.find(':') != std::string::npos;
    return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

// "user:password" or "user" or ":password" into url. False when the percent-encoding is broken.
bool set_credentials(redis_url& url, std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::optional<std::string> user = percent_decoded(text.substr(0, colon));
    const std::optional<std::string> password =
        colon == std::string_view::npos ? std::string() : percent_decoded(text.substr(colon + 1));
    if (!user || !password) return false;
    url.user = *user;
    url.password = *password;
    return true;
}

// Empty when fine, else what is wrong.
std::string set_socket_path(redis_url& url, std::string_view text) {
    if (text.find('?') != std::string_view::npos) return "options after ? are not supported";
    const std::optional<std::string> path = percent_decoded(text);
    if (!path) return "a % must be followed by two hex digits";
    if (path->empty() || path->front() != '/')
        return "the path of the socket must be absolute (unix:///path)";
    if (path->size() >= sizeof(sockaddr_un::sun_path))
        return "the path of the socket is longer than 107 bytes";
    if (path->find('\0') != std::string::npos) return "the path contains a zero byte";
    url.path = *path;
    return {};
}

std::string set_port(redis_url& url, std::string_view digits) {
    const parsed<endpoint> address = parse_endpoint("host:" + std::string(digits));
    const auto* found = std::get_if<endpoint>(&address);
    if (found == nullptr || found->port == 0) return "the port must be a number from 1 to 65535";
    url.port = found->port;
    return {};
}

std::string set_address(redis_url& url, std::string_view text) {
    const std::size_t slash = text.find_first_of("/?#");
    if (slash != std::string_view::npos && text.substr(slash) != "/")
        return "nothing may follow the address: the db is not chosen by the URL";
    text = text.substr(0, slash);

    std::string_view rest;
    if (!text.empty() && text.front() == '[') {
        const std::size_t bracket = text.find(']');
        if (bracket == std::string_view::npos) return "the bracket of the IPv6 address is not closed";
        url.host = text.substr(1, bracket - 1);
        rest = text.substr(bracket + 1);
        if (!is_ipv6_address(url.host)) return "no IPv6 address in the brackets";
    } else {
        const std::size_t colon = text.find(':');
        url.host = text.substr(0, colon);
        rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
        if (rest.find(':', 1) != std::string_view::npos) return "an IPv6 address must stand in brackets";
        if (url.host.empty()) return "the host is missing";
        if (!is_host_name(url.host)) return "no valid host name";
    }
    if (rest.empty()) return {};
    return rest.front() == ':' ? set_port(url, rest.substr(1)) : "a port must follow the bracket";
}

}  // namespace

parsed<redis_url> parse_redis_url(std::string_view text) {
    redis_url url;
    std::string_view rest;
    if (text.starts_with(tcp_prefix)) {
        rest = text.substr(tcp_prefix.size());
    } else if (text.starts_with(tls_prefix)) {
        url.scheme = url_scheme::tls;
        rest = text.substr(tls_prefix.size());
    } else if (text.starts_with(unix_prefix)) {
        url.scheme = url_scheme::unix_socket;
        rest = text.substr(unix_prefix.size());
    } else {
        return bad_value{in_quotes(mask_url_text(text)) +
                         " is not a Redis URL: it must start with redis://, rediss:// or unix://"};
    }

    const auto refuse = [&](const std::string& why) {
        return bad_value{in_quotes(mask_url_text(text)) + " is not a usable Redis URL: " + why};
    };
    // The last @ ends the credentials, so that a password with an unescaped @ or / still works.
    const std::size_t at = rest.rfind('@');
    if (at != std::string_view::npos) {
        if (!set_credentials(url, rest.substr(0, at)))
            return refuse("a % must be followed by two hex digits");
        rest = rest.substr(at + 1);
    }
    const std::string why =
        url.scheme == url_scheme::unix_socket ? set_socket_path(url, rest) : set_address(url, rest);
    if (!why.empty()) return refuse(why);
    return url;
}

std::string mask_url_text(std::string_view text) {
    const std::size_t scheme = text.find("://");
    const std::size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
    const std::size_t at = text.rfind('@');
    if (at == std::string_view::npos || at < start) return std::string(text);
    const std::size_t colon = text.find(':', start);
    if (colon == std::string_view::npos || colon > at) return std::string(text);
    return std::string(text.substr(0, colon + 1)) + "***" + std::string(text.substr(at));
}

std::string masked(const redis_url& url) {
    std::string credentials = url.user;
    if (!url.password.empty()) credentials += ":***";
    if (!credentials.empty()) credentials += "@";
    if (url.scheme == url_scheme::unix_socket) return std::string(unix_prefix) + credentials + url.path;
    const std::string_view prefix = url.scheme == url_scheme::tls ? tls_prefix : tcp_prefix;
    return std::string(prefix) + credentials + host_and_port(url.host, url.port);
}

std::string to_string(const endpoint& address) {
    return address.host.empty() ? "off" : host_and_port(address.host, address.port);
}

std::string_view to_string(policy_mode mode) {
    switch (mode) {
        case policy_mode::strict:
            return "strict";
        case policy_mode::audit:
            return "audit";
        case policy_mode::open:
            return "open";
    }
    return "strict";
}

bool is_loopback(const endpoint& address) {
    if (lower_case(address.host) == "localhost") return true;
    in_addr v4{};
    if (inet_pton(AF_INET, address.host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
    in6_addr v6{};
    if (inet_pton(AF_INET6, address.host.c_str(), &v6) != 1) return false;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

bool serves_channels(const config& settings, int db) {
    return std::find(settings.channels_dbs.begin(), settings.channels_dbs.end(), db) !=
           settings.channels_dbs.end();
}

bool guards_channels(const config& settings, int db) {
    return settings.channels == channels_mode::guard && serves_channels(settings, db);
}

bool inspects_broker(const config& settings, int db) {
    const auto& dbs = settings.broker.dbs;
    return settings.broker.mode == broker_mode::observe && std::find(dbs.begin(), dbs.end(), db) != dbs.end();
}

std::string upstream_password(const config& settings, int db) {
    const redis_url& url = settings.redis[static_cast<std::size_t>(db)];
    if (!url.password.empty()) return url.password;
    const bool embedded = url.scheme == url_scheme::unix_socket && url.path.empty();
    return embedded ? std::string() : settings.redis_password;
}

}  // namespace sidecar
