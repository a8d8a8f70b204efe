#include <catch2/catch.hpp>

#include "sidecar/config/parse.hpp"
#include "sidecar/config/text.hpp"

using namespace sidecar;
using namespace std::chrono_literals;

namespace {

redis_url good_url(std::string_view text) {
    const auto outcome = parse_redis_url(text);
    INFO(text);
    if (const auto* bad = std::get_if<bad_value>(&outcome)) FAIL(bad->why);
    return std::get<redis_url>(outcome);
}

std::string url_error(std::string_view text) {
    const auto outcome = parse_redis_url(text);
    return std::holds_alternative<bad_value>(outcome) ? std::get<bad_value>(outcome).why : "accepted";
}

redis_url url_of(url_scheme scheme, std::string host, std::uint16_t port, std::string user = "",
                 std::string password = "") {
    return {scheme, std::move(host), port, "", std::move(user), std::move(password)};
}

template <class Value>
bool refused(const parsed<Value>& outcome) {
    return std::holds_alternative<bad_value>(outcome);
}

}  // namespace

TEST_CASE("a Redis URL gives scheme, address and credentials", "[config]") {
    CHECK(good_url("redis://cache") == url_of(url_scheme::tcp, "cache", 6379));
    CHECK(good_url("redis://cache/") == url_of(url_scheme::tcp, "cache", 6379));
    CHECK(good_url("redis://10.0.0.1:7000") == url_of(url_scheme::tcp, "10.0.0.1", 7000));
    CHECK(good_url("rediss://cache:6390") == url_of(url_scheme::tls, "cache", 6390));
    CHECK(good_url("redis://[::1]") == url_of(url_scheme::tcp, "::1", 6379));
    CHECK(good_url("redis://[fe80::1%eth0]:1") == url_of(url_scheme::tcp, "fe80::1%eth0", 1));
    CHECK(good_url("redis://:secret@h") == url_of(url_scheme::tcp, "h", 6379, "", "secret"));
    CHECK(good_url("redis://joe@h") == url_of(url_scheme::tcp, "h", 6379, "joe"));
    CHECK(good_url("rediss://joe:p%40ss%3A%2F@h:1") == url_of(url_scheme::tls, "h", 1, "joe", "p@ss:/"));
}

TEST_CASE("a password with an unescaped @, : or / is understood by the last @", "[config]") {
    CHECK(good_url("redis://:a@b/c:d@h:1") == url_of(url_scheme::tcp, "h", 1, "", "a@b/c:d"));
}

TEST_CASE("a unix URL gives path and credentials", "[config]") {
    const redis_url plain = good_url("unix:///run/redis.sock");
    CHECK(plain.scheme == url_scheme::unix_socket);
    CHECK(plain.path == "/run/redis.sock");
    const redis_url full = good_url("unix://joe:secret@/run/with%20blank.sock");
    CHECK(full.path == "/run/with blank.sock");
    CHECK(full.user == "joe");
    CHECK(full.password == "secret");
}

TEST_CASE("an unusable Redis URL is refused with the reason", "[config]") {
    CHECK(url_error("") == "'' is not a Redis URL: it must start with redis://, rediss:// or unix://");
    CHECK(url_error("http://h").find("must start with redis://") != std::string::npos);
    CHECK(url_error("localhost:6379").find("must start with redis://") != std::string::npos);
    CHECK(url_error("redis://").find("the host is missing") != std::string::npos);
    CHECK(url_error("redis://:6379").find("the host is missing") != std::string::npos);
    for (const char* port : {"redis://h:", "redis://h:0", "redis://h:65536", "redis://h:12x", "redis://h:-1"})
        CHECK(url_error(port).find("the port must be a number from 1 to 65535") != std::string::npos);
    CHECK(url_error("redis://::1").find("must stand in brackets") != std::string::npos);
    CHECK(url_error("redis://[::1").find("not closed") != std::string::npos);
    CHECK(url_error("redis://[nonsense]").find("no IPv6 address") != std::string::npos);
    CHECK(url_error("redis://[::1]6379").find("a port must follow") != std::string::npos);
    CHECK(url_error("redis://a b").find("no valid host name") != std::string::npos);
    CHECK(url_error("redis://h/1").find("the db is not chosen by the URL") != std::string::npos);
    CHECK(url_error("redis://h?db=1").find("the db is not chosen by the URL") != std::string::npos);
    CHECK(url_error("redis://:%zz@h").find("two hex digits") != std::string::npos);
    CHECK(url_error("redis://:abc%4@h").find("two hex digits") != std::string::npos);
    CHECK(url_error("unix://run/redis.sock").find("must be absolute") != std::string::npos);
    CHECK(url_error("unix://").find("must be absolute") != std::string::npos);
    CHECK(url_error("unix:///" + std::string(107, 'x')).find("longer than 107 bytes") != std::string::npos);
}

TEST_CASE("no error and no masked URL shows a password", "[config]") {
    for (const char* text : {"redis://joe:secret@h:99999", "http://:secret@h", "redis://:secret@h/9",
                             "redis://:secret@", "joe:secret@h", "redis://:sec@secret@h:x"})
        CHECK(url_error(text).find("secret") == std::string::npos);
    CHECK(masked(good_url("redis://joe:secret@h")) == "redis://joe:***@h:6379");
    CHECK(masked(good_url("rediss://:secret@[::1]:1")) == "rediss://:***@[::1]:1");
    CHECK(masked(good_url("unix://:secret@/run/s")) == "unix://:***@/run/s");
    CHECK(masked(good_url("redis://h:1")) == "redis://h:1");
}

TEST_CASE("an endpoint is a host and a port, or off", "[config]") {
    const auto good = [](std::string_view text) { return std::get<endpoint>(parse_endpoint(text)); };
    CHECK(good("127.0.0.1:0") == endpoint{"127.0.0.1", 0});
    CHECK(good("[::1]:6379") == endpoint{"::1", 6379});
    CHECK(good(":6379") == endpoint{"*", 6379});
    CHECK(good("*:6379") == endpoint{"*", 6379});
    CHECK(good("my-host.local:1") == endpoint{"my-host.local", 1});
    CHECK(good("off") == endpoint{});
    for (const char* text : {"", "6379", "host", "host:", "host:x", "host:65536", "host:-1", "::1:6379",
                             "[::1:6379", "[x]:1", "a b:1", "[]:1", "host:1 "})
        CHECK(refused(parse_endpoint(text)));
    CHECK(to_string(good("[::1]:6379")) == "[::1]:6379");
    CHECK(to_string(good(":6379")) == "*:6379");
    CHECK(to_string(good("off")) == "off");
}

TEST_CASE("only addresses that stay on the machine are loopback", "[config]") {
    for (const char* host : {"127.0.0.1", "127.8.9.10", "::1", "localhost", "LocalHost", "::ffff:127.0.0.1"})
        CHECK(is_loopback({host, 1}));
    for (const char* host : {"*", "0.0.0.0", "::", "10.0.0.1", "localhost.example.org",
                             "127.0.0.1.example.org", "::ffff:10.0.0.1", ""})
        CHECK_FALSE(is_loopback({host, 1}));
}

TEST_CASE("a duration has a unit or counts seconds", "[config]") {
    const auto good = [](std::string_view text) { return std::get<0>(parse_duration(text)); };
    CHECK(good("3") == 3s);
    CHECK(good("3s") == 3s);
    CHECK(good("500ms") == 500ms);
    CHECK(good("250us") == 250us);
    CHECK(good("2m") == 2min);
    CHECK(good("1h") == 1h);
    CHECK(good("1.5s") == 1500ms);
    CHECK(good("0") == 0s);
    CHECK(good("10MS") == 10ms);
    for (const char* text :
         {"", "s", "-1", "-1s", "3 s", "3x", "1.2.3", "three", "1e3", "999999999999h", "3sm"})
        CHECK(refused(parse_duration(text)));
}

TEST_CASE("a size has a binary unit or counts bytes", "[config]") {
    const auto good = [](std::string_view text) { return std::get<0>(parse_size(text)); };
    CHECK(good("1048576") == 1048576);
    CHECK(good("64k") == 65536);
    CHECK(good("64kb") == 65536);
    CHECK(good("64mb") == 64ULL << 20);
    CHECK(good("64MiB") == 64ULL << 20);
    CHECK(good("2GB") == 2ULL << 30);
    CHECK(good("0") == 0);
    for (const char* text :
         {"", "mb", "-1", "64 mb", "64xb", "1.5mb", "99999999999999999999", "18446744073709551615kb"})
        CHECK(refused(parse_size(text)));
}

TEST_CASE("a switch is yes or no in any spelling", "[config]") {
    for (const char* text : {"yes", "TRUE", "on", "1"}) CHECK(std::get<bool>(parse_switch(text)));
    for (const char* text : {"no", "False", "off", "0"}) CHECK_FALSE(std::get<bool>(parse_switch(text)));
    for (const char* text : {"", "maybe", "2", "yes "}) CHECK(refused(parse_switch(text)));
}

TEST_CASE("texts are shown on one line whatever they contain", "[config]") {
    CHECK(in_quotes("a\nb\xff") == "'a\\x0ab\\xff'");
    CHECK(in_quotes(std::string(200, 'x')) == "'" + std::string(120, 'x') + "…'");
}
