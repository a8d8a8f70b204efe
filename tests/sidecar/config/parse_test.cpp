#include <catch2/catch.hpp>

#include "sidecar/config/parse.hpp"

using namespace sidecar;
using namespace std::chrono_literals;

namespace {

template <class Value>
bool refused(const parsed<Value>& outcome) {
    return std::holds_alternative<bad_value>(outcome);
}

}  // namespace

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
