#include "sidecar/cli/api_client.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "sidecar/cli/commands.hpp"
#include "sidecar/cli/http_exchange.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/config/text.hpp"

namespace sidecar {
namespace {

bool is_unreserved(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '-' || letter == '.' || letter == '_' ||
           letter == '~';
}

int exit_status_of(unsigned http_status) {
    switch (http_status) {
        case 400:
        case 415:
        case 422:
            return exit_status::bad_usage;
        case 404:
        case 410:
            return exit_status::not_found;
        case 401:
        case 403:
        case 405:
        case 409:
        case 412:
        case 423:
            return exit_status::refused;
        default:
            return exit_status::failed;
    }
}

}  // namespace

std::optional<std::string> read_api_url(std::string_view url, api_target& target) {
    const std::string quoted = in_quotes(url);
    if (url.find("://") == std::string_view::npos) {
        target.tls = false;
    } else if (url.starts_with("https://") || url.starts_with("http://")) {
        target.tls = url.starts_with("https://");
        url.remove_prefix(url.find("://") + 3);
    } else {
        return quoted + " is no http:// or https:// URL";
    }
    const std::size_t slash = url.find('/');
    target.prefix = slash == std::string_view::npos ? "" : std::string(url.substr(slash));
    while (target.prefix.ends_with('/')) target.prefix.pop_back();
    std::string_view authority = url.substr(0, slash);
    if (authority.find('@') != std::string_view::npos) return "a token belongs to --token, not into the URL";
    target.port = target.tls ? "443" : "80";
    const std::size_t colon = authority.rfind(':');
    if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
        target.port = authority.substr(colon + 1);
        authority = authority.substr(0, colon);
    }
    const bool bracketed = authority.size() > 2 && authority.front() == '[' && authority.back() == ']';
    if (bracketed) authority = authority.substr(1, authority.size() - 2);
    if (!(bracketed ? is_ipv6_address(authority) : is_host_name(authority)) || authority.empty())
        return quoted + " names no host";
    if (target.port.empty() || target.port.size() > 5 ||
        target.port.find_first_not_of("0123456789") != std::string::npos)
        return quoted + " names no port";
    target.host = authority;
    return std::nullopt;
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char letter : text) {
        if (is_unreserved(letter)) {
            encoded += letter;
            continue;
        }
        const auto byte = static_cast<unsigned char>(letter);
        encoded += {'%', digits[byte >> 4U], digits[byte & 0xFU]};
    }
    return encoded;
}

command_failure failure_of(const api_answer& answer) {
    std::string line = text_of(answer.body, "detail");
    if (line.empty()) line = text_of(answer.body, "title");
    if (line.empty()) line = "the server answered " + std::to_string(answer.status);
    if (answer.status == 401) line += " (--token or SIDECAR_HTTP_TOKEN)";
    return {exit_status_of(answer.status), line};
}

std::string api_client::path_of(const std::string& path) const {
    std::string whole = target_.prefix + "/api/v1" + path;
    if (!target_.query.empty()) whole += (path.find('?') == std::string::npos ? '?' : '&') + target_.query;
    return whole;
}

api_answer api_client::call(std::string_view method, const std::string& path,
                            const std::optional<boost::json::value>& body) const {
    api_answer answer;
    const http_text got =
        http_exchange(target_, method, path_of(path), body ? boost::json::serialize(*body) : std::string());
    answer.status = got.status;
    answer.text = got.body;
    boost::system::error_code ec;
    boost::json::value parsed = boost::json::parse(got.body, ec);
    if (!ec) answer.body = std::move(parsed);
    if (answer.good() && ec && got.json)
        throw command_failure(exit_status::failed, "the server's answer is no JSON: " + ec.message());
    return answer;
}

boost::json::value api_client::get(const std::string& path) const {
    api_answer answer = call("GET", path, std::nullopt);
    if (!answer.good()) throw failure_of(answer);
    return std::move(answer.body);
}

boost::json::value api_client::post(const std::string& path, const boost::json::value& body) const {
    api_answer answer = call("POST", path, body);
    if (!answer.good()) throw failure_of(answer);
    return std::move(answer.body);
}

void api_client::stream(const std::string& path,
                        const std::function<stream_step(const server_event&)>& on_event) const {
    event_parser parser;
    const auto on_bytes = [&](std::string_view bytes) {
        parser.feed(bytes);
        server_event event;
        while (parser.next(event))
            if (on_event(event) == stream_step::enough) return stream_step::enough;
        return stream_step::go_on;
    };
    const http_text refusal = http_stream(target_, path_of(path), on_bytes);
    if (refusal.status == 200) return;
    api_answer answer;
    answer.status = refusal.status;
    boost::system::error_code ec;
    answer.body = boost::json::parse(refusal.body, ec);
    throw failure_of(answer);
}

}  // namespace sidecar
