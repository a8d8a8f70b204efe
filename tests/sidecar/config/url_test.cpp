#include <catch2/catch.hpp>

#include "sidecar/config/parse.hpp"

using namespace sidecar;

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

TEST_CASE("only addresses that stay on the machine are loopback", "[config]") {
    for (const char* host : {"127.0.0.1", "127.8.9.10", "::1", "localhost", "LocalHost", "::ffff:127.0.0.1"})
        CHECK(is_loopback({host, 1}));
    for (const char* host : {"*", "0.0.0.0", "::", "10.0.0.1", "localhost.example.org",
                             "127.0.0.1.example.org", "::ffff:10.0.0.1", ""})
        CHECK_FALSE(is_loopback({host, 1}));
}
