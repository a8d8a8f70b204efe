#include <catch2/catch.hpp>

#include "sidecar/config/setters.hpp"

using namespace sidecar;
using namespace std::chrono_literals;

namespace {

template <class Value>
bool refused(const parsed<Value>& outcome) {
    return std::holds_alternative<bad_value>(outcome);
}

}  // namespace

TEST_CASE("a number is all digits and within its bounds", "[config]") {
    CHECK(std::get<0>(parse_number("1", 1, 64)) == 1);
    CHECK(std::get<0>(parse_number("64", 1, 64)) == 64);
    for (const char* text : {"", "0", "65", "-1", "+1", " 1", "1 ", "1.0", "0x1", "99999999999999999999"})
        CHECK(refused(parse_number(text, 1, 64)));
}

TEST_CASE("times are rounded up to milliseconds, so that a short one is not none", "[config]") {
    CHECK(std::get<0>(parse_milliseconds("1us")) == 1ms);
    CHECK(std::get<0>(parse_milliseconds("0")) == 0ms);
    CHECK(std::get<0>(parse_milliseconds("24h")) == 24h);
    CHECK(refused(parse_milliseconds("86401")));
}

TEST_CASE("a token is what an Authorization header can carry", "[config]") {
    CHECK(std::get<0>(parse_token("abc-_.~+/=123")) == "abc-_.~+/=123");
    CHECK(std::get<0>(parse_token("")).empty());
    for (const char* text : {"two words", "tab\t", "line\n", "p\xc3\xa4ss"})
        CHECK(refused(parse_token(text)));
}

TEST_CASE("a secret may be any text of bounded length", "[config]") {
    CHECK(std::get<0>(parse_secret("p\xc3\xa4ss \n'\"")) == "p\xc3\xa4ss \n'\"");
    CHECK_FALSE(refused(parse_secret(std::string(512, 'x'))));
    CHECK(refused(parse_secret(std::string(513, 'x'))));
    CHECK(refused(parse_secret(std::string_view("a\0b", 3))));
}

TEST_CASE("the path of a socket has room in a socket address", "[config]") {
    CHECK(std::get<0>(parse_socket_path(std::string(107, 'x'))).size() == 107);
    CHECK(refused(parse_socket_path(std::string(108, 'x'))));
    CHECK(std::get<0>(parse_socket_path("off")).empty());
    CHECK(refused(parse_socket_path("")));
}
