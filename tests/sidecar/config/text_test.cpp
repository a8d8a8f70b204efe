#include <catch2/catch.hpp>

#include "sidecar/config/text.hpp"

using namespace sidecar;

TEST_CASE("texts are shown on one line whatever they contain", "[config]") {
    CHECK(in_quotes("a\nb\xff") == "'a\\x0ab\\xff'");
    CHECK(in_quotes(std::string(200, 'x')) == "'" + std::string(120, 'x') + "…'");
}

TEST_CASE("percent-decoding takes two hex digits after every %", "[config]") {
    CHECK(percent_decoded("a%20b%2f%2F") == "a b//");
    CHECK(percent_decoded("") == "");
    CHECK(percent_decoded("%00") == std::string(1, '\0'));
    for (const char* text : {"%", "%4", "a%", "%g0", "%0g", "%%41", "% 1", "%+1", "%-1", "%0x41"})
        CHECK_FALSE(percent_decoded(text));
}

TEST_CASE("addresses and host names are told apart by their form", "[config]") {
    CHECK(is_ipv4_address("10.0.0.1"));
    CHECK(is_ipv6_address("::1"));
    CHECK(is_ipv6_address("fe80::1%eth0"));
    for (const char* text : {"", "10.0.0", "10.0.0.256", "::1", "host"}) CHECK_FALSE(is_ipv4_address(text));
    for (const char* text : {"", "10.0.0.1", ":::", "[::1]", "host"}) CHECK_FALSE(is_ipv6_address(text));
    for (const char* text : {"host", "my-host.local", "a_b", "10.0.0.1"}) CHECK(is_host_name(text));
    CHECK(is_host_name(std::string(253, 'a')));
    CHECK_FALSE(is_host_name(std::string(254, 'a')));
    for (const char* text : {"", "a b", "a/b", "a:b", "a\n", "h\xc3\xa4"}) CHECK_FALSE(is_host_name(text));
}

TEST_CASE("lower case changes ASCII letters only", "[config]") {
    CHECK(lower_case("AbC-1_\xc3\x84") == "abc-1_\xc3\x84");
}
