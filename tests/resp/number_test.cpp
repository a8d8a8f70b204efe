#include "resp/number.hpp"

#include <catch2/catch.hpp>
#include <string>

using resp::parse_number;

TEST_CASE("whole numbers as Redis reads them") {
    CHECK(parse_number("0") == 0);
    CHECK(parse_number("1") == 1);
    CHECK(parse_number("-1") == -1);
    CHECK(parse_number("1234567890") == 1234567890);
    CHECK(parse_number("9223372036854775807") == INT64_MAX);
    CHECK(parse_number("-9223372036854775808") == INT64_MIN);
    for (std::int64_t n : {std::int64_t{7}, std::int64_t{-99}, INT64_MAX - 1, INT64_MIN + 1})
        CHECK(parse_number(std::to_string(n)) == n);
}

TEST_CASE("what is no number") {
    for (const auto* text : {"", "-", "+1", "01", "-0", "-01", "00", " 1", "1 ", "1.0", "1e3", "a", "--1",
                             "9223372036854775808", "-9223372036854775809", "18446744073709551616",
                             "18446744073709551615", "99999999999999999999", "999999999999999999999"}) {
        INFO(text);
        CHECK_FALSE(parse_number(text));
    }
    CHECK_FALSE(parse_number(std::string_view("1\0", 2)));
}
