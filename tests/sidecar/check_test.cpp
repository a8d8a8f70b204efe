#include <catch2/catch.hpp>

#include <stdlib.h>

#include <filesystem>
#include <map>
#include <string>

#include "sidecar/cli/check.hpp"
#include "sidecar/net/child_process.hpp"
#include "sidecar/net/embedded.hpp"
#include "sidecar/net/log.hpp"

using namespace sidecar;

namespace {

using variables = std::map<std::string, std::string>;

std::variant<check_options, config_error> read(const std::vector<std::string>& args,
                                               const variables& given = {}) {
    return read_check_options(args, [&](const std::string& name) -> std::optional<std::string> {
        const auto found = given.find(name);
        return found == given.end() ? std::nullopt : std::optional(found->second);
    });
}

check_options good(const std::vector<std::string>& args, const variables& given = {}) {
    const auto outcome = read(args, given);
    if (const auto* bad = std::get_if<config_error>(&outcome)) FAIL(bad->line);
    return std::get<check_options>(outcome);
}

std::string error(const std::vector<std::string>& args, const variables& given = {}) {
    const auto outcome = read(args, given);
    return std::holds_alternative<config_error>(outcome) ? std::get<config_error>(outcome).line : "accepted";
}

}  // namespace

TEST_CASE("check takes its URL from the argument, the environment or the default", "[check]") {
    CHECK(masked(good({}).url) == "redis://127.0.0.1:6379");
    CHECK(masked(good({}, {{"SIDECAR_CHECK_URL", "redis://env"}}).url) == "redis://env:6379");
    CHECK(masked(good({"redis://arg"}, {{"SIDECAR_CHECK_URL", "redis://env"}}).url) == "redis://arg:6379");
    CHECK(good({}).databases == std::vector<int>{0, 1, 2});
    CHECK(good({"redis://h/1"}).databases == std::vector<int>{1});
    CHECK(good({"unix:///run/redis/1"}).url.path == "/run/redis/1");
    CHECK(good({"redis://h"}, {{"REDIS_PASSWORD", "secret"}}).url.password == "secret");
    CHECK(good({"redis://:own@h"}, {{"REDIS_PASSWORD", "secret"}}).url.password == "own");
    CHECK(good({"redis://h", "--timeout", "250ms"}).timeout == std::chrono::milliseconds(250));
}

TEST_CASE("what check cannot use is named", "[check]") {
    CHECK(error({"h:1"}) ==
          "URL: 'h:1' is not a Redis URL: it must start with redis://, rediss:// or unix://");
    CHECK(error({}, {{"SIDECAR_CHECK_URL", "h:1"}}).find("SIDECAR_CHECK_URL: 'h:1'") == 0);
    CHECK(error({"redis://h/3"}).find("URL: 'redis://h/3'") == 0);
    CHECK(error({"--timeout", "soon"}).find("--timeout: 'soon'") == 0);
    CHECK(error({"--timeout", "0"}).find("--timeout: '0'") == 0);
    CHECK(error({"--ca", "/no/such.pem"}).find("--ca: cannot read '/no/such.pem'") == 0);
    CHECK(error({"--verbose"}).find("--verbose") != std::string::npos);
    CHECK(error({"redis://h", "redis://:secret@h"}).find("secret") == std::string::npos);
}

TEST_CASE("check has a line for each db of a server that works, and leaves nothing behind", "[check]") {
    if (!find_program("redis-server")) {
        WARN("redis-server is not on PATH: this case is skipped");
        return;
    }
    std::string dir = "/tmp/check-test-XXXXXX";
    REQUIRE(::mkdtemp(dir.data()) != nullptr);
    configure_log("off", log_format::text);
    embedded_redis server({.data_dir = dir});
    REQUIRE_FALSE(server.start());
    check_options options;
    options.url.scheme = url_scheme::unix_socket;
    options.url.path = server.socket_path();
    const check_report report = check_databases(options);
    INFO(report.text);
    CHECK(report.good);
    for (const char* part : {"db 0 ok unix://", "db 1 ok unix://", "db 2 ok unix://", "write+read+delete "})
        CHECK(report.text.find(part) != std::string::npos);

    options.url.password = "secret";
    const check_report refused = check_databases(options);
    CHECK_FALSE(refused.good);
    CHECK(refused.text.find("db 0 FAILED at auth: AUTH: ERR AUTH <password> called without any password") ==
          0);
    CHECK(refused.text.find("unix://:***@" + server.socket_path()) != std::string::npos);
    CHECK(refused.text.find("secret") == std::string::npos);
    server.stop();
    configure_log("info", log_format::text);
    std::filesystem::remove_all(dir);
}

TEST_CASE("check says where it could not connect", "[check]") {
    check_options options = good({"unix:///no/such.sock", "--timeout", "1s"});
    options.databases = {2};
    const check_report report = check_databases(options);
    CHECK_FALSE(report.good);
    CHECK(report.text == "db 2 FAILED at connect: No such file or directory (unix:///no/such.sock)\n");
}
