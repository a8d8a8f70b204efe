#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "sidecar/http/server.hpp"
#include "sidecar/net/log.hpp"

using namespace sidecar;

namespace {

http_backend simple_backend() {
    return {[] { return std::string("sidecar_up 1\n"); },
            [] {
                return readiness{true, {}};
            },
            []() -> process_status { throw std::runtime_error("no status today"); }};
}

http_settings settings_with(http_limits limits) {
    http_settings settings;
    settings.listen = {"127.0.0.1", 0};
    settings.limits = limits;
    return settings;
}

class running_server {
public:
    explicit running_server(http_limits limits = {}) : server(settings_with(limits), simple_backend()) {
        const auto bad = server.start();
        if (bad) FAIL(*bad);
    }
    http_server server;
};

// A plain socket to the server; reads with a deadline.
class client {
public:
    explicit client(const running_server& running)
        : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(running.server.local_endpoint().port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        const timeval patience{5, 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    ~client() { ::close(descriptor_); }
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    void send(const std::string& bytes) const {
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            const ssize_t count = ::send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (count <= 0) return;  // refused half-way: what matters is what was answered
            sent += static_cast<std::size_t>(count);
        }
    }

    // Reads until `wanted` has been seen or the server closes; what was read.
    [[nodiscard]] std::string read_until(const std::string& wanted) const {
        std::string text;
        char bytes[4096];
        while (text.find(wanted) == std::string::npos) {
            const ssize_t count = ::recv(descriptor_, bytes, sizeof bytes, 0);
            if (count <= 0) return text + (count == 0 ? "<closed>" : "<error>");
            text.append(bytes, static_cast<std::size_t>(count));
        }
        return text;
    }
    [[nodiscard]] std::string read_to_end() const { return read_until("<never>"); }
    [[nodiscard]] std::string ask(const std::string& bytes, const std::string& wanted) const {
        send(bytes);
        return read_until(wanted);
    }

private:
    int descriptor_;
};

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

const std::string get_health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
const std::string get_metrics = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

}  // namespace

TEST_CASE("the server answers several requests on one connection, also pipelined", "[http]") {
    const running_server running;
    const client one(running);
    CHECK(contains(one.ask(get_health, "ok\n"), "HTTP/1.1 200 OK\r\n"));
    CHECK(contains(one.ask(get_metrics, "sidecar_http_connections 1\n"), "sidecar_up 1\n"));
    const std::string both = one.ask(get_health + get_metrics, "sidecar_http_timeouts_total 0\n");
    CHECK(contains(both, "\r\n\r\nok\nHTTP/1.1 200 OK\r\n"));
}

TEST_CASE("the server reads a request that arrives byte by byte", "[http]") {
    const running_server running;
    const client one(running);
    for (const char c : get_health) one.send(std::string(1, c));
    CHECK(contains(one.read_until("ok\n"), "200 OK"));
}

TEST_CASE("HEAD has the length of the body and no body", "[http]") {
    const running_server running;
    const client one(running);
    const std::string answer =
        one.ask("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "<never>");
    CHECK(contains(answer, "Content-Length: 3\r\n"));
    CHECK(answer.ends_with("\r\n\r\n<closed>"));
}

TEST_CASE("headers and bodies beyond the limits, and what is no HTTP, are refused and closed", "[http]") {
    const running_server running;
    const std::string head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    CHECK(
        contains(client(running).ask(head + "X: " + std::string(17 << 10, 'x') + "\r\n\r\n", "431"), "431"));
    CHECK(contains(client(running).ask(head + "Content-Length: 1048577\r\n\r\n", "<never>"), "413 "));
    CHECK(contains(client(running).ask("*1\r\n$4\r\nPING\r\n\r\n", "<never>"), "400 Bad Request"));
    CHECK(contains(client(running).ask(head + "Content-Length: -1\r\n\r\n", "<never>"), "400 Bad Request"));
    CHECK(contains(client(running).ask(get_health, "ok\n"), "200 OK"));
}

TEST_CASE("a handler that throws is a 500 and the connection goes on", "[http]") {
    configure_log("off", log_format::text);
    const running_server running;
    const client one(running);
    CHECK(contains(one.ask("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", "says why"), "500 "));
    CHECK(contains(one.ask(get_health, "ok\n"), "200 OK"));
    configure_log("info", log_format::text);
}

TEST_CASE("an unfinished request and an idle connection are closed in time", "[http]") {
    http_limits limits;
    limits.request_timeout_ms = 50;
    limits.idle_timeout_ms = 60;
    const running_server running(limits);
    const client slow(running);
    slow.send("GET /healthz HT");
    CHECK(contains(slow.read_to_end(), "<closed>"));
    const client silent(running);
    CHECK(silent.read_to_end() == "<closed>");
    const client idle(running);
    CHECK(contains(idle.ask(get_health, "<never>"), "ok\n<closed>"));
    CHECK(contains(client(running).ask(get_metrics, "timeouts_total 2\n"), "timeouts_total 2\n"));
}

TEST_CASE("connections beyond the limit are refused with 503 and counted", "[http]") {
    configure_log("off", log_format::text);
    http_limits limits;
    limits.connections_max = 2;
    const running_server running(limits);
    const client one(running);
    CHECK(contains(one.ask(get_health, "ok\n"), "200 OK"));
    {
        const client two(running);
        CHECK(contains(two.ask(get_health, "ok\n"), "200 OK"));
        CHECK(contains(client(running).read_to_end(), "503 Service Unavailable"));
    }
    CHECK(contains(one.ask(get_metrics, "connections_refused_total 1\n"), "connections_refused_total 1\n"));
    // The place of the closed one is free again before long.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    bool served = false;
    while (!served && std::chrono::steady_clock::now() < deadline)
        served = contains(client(running).ask(get_health, "\r\n\r\n"), "200 OK");
    CHECK(served);
    configure_log("info", log_format::text);
}

TEST_CASE("new tokens apply to requests that come after", "[http]") {
    running_server running;
    const client one(running);
    CHECK(contains(one.ask(get_metrics, "timeouts_total 0\n"), "200 OK"));
    running.server.set_tokens("secret", "");
    CHECK(contains(one.ask(get_metrics, "}\n"), "401 Unauthorized"));
    CHECK(contains(one.ask("GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\n\r\n",
                           "timeouts_total 0\n"),
                   "200 OK"));
}

TEST_CASE("an address that cannot be used is named", "[http]") {
    const running_server running;
    http_settings settings;
    settings.listen = {"127.0.0.1", running.server.local_endpoint().port};
    http_server second(settings, simple_backend());
    const auto bad = second.start();
    REQUIRE(bad);
    CHECK(*bad == "--http: cannot listen on " + to_string(settings.listen) + ": Address already in use");
    settings.listen = {"192.0.2.1", 0};
    CHECK(http_server(settings, simple_backend())
              .start()
              .value_or("")
              .find("--http: cannot listen on 192.0.2.1:0") == 0);
}

TEST_CASE("without an address there is no server, and stopping it twice is fine", "[http]") {
    http_server off({}, simple_backend());
    CHECK_FALSE(off.start());
    off.stop();
    off.stop();
}

TEST_CASE("stopping closes open connections", "[http]") {
    auto running = std::make_unique<running_server>();
    const client one(*running);
    CHECK(contains(one.ask(get_health, "ok\n"), "200 OK"));
    running.reset();
    CHECK(contains(one.read_to_end(), "<closed>"));
}
