#include "resp/frame_error.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace resp;

TEST_CASE("frame errors speak Redis's words") {
    const std::string head = "ERR Protocol error: ";
    CHECK(describe(frame_error::inline_too_big) == head + "too big inline request");
    CHECK(describe(frame_error::multibulk_header_too_big) == head + "too big mbulk count string");
    CHECK(describe(frame_error::bulk_header_too_big) == head + "too big bulk count string");
    CHECK(describe(frame_error::bad_multibulk_length) == head + "invalid multibulk length");
    CHECK(describe(frame_error::stranger_multibulk_length) == head + "unauthenticated multibulk length");
    CHECK(describe(frame_error::bad_bulk_length) == head + "invalid bulk length");
    CHECK(describe(frame_error::stranger_bulk_length) == head + "unauthenticated bulk length");
    CHECK(describe(frame_error::unbalanced_quotes) == head + "unbalanced quotes in request");
    CHECK(describe(frame_error::expected_dollar, 'x') == head + "expected '$', got 'x'");
}

TEST_CASE("an error never contains a line break, and some have no words") {
    CHECK(describe(frame_error::expected_dollar, '\r').find('\r') == std::string::npos);
    CHECK(describe(frame_error::expected_dollar, '\n').find('\n') == std::string::npos);
    CHECK(describe(frame_error::query_too_big).empty());
    CHECK(describe(frame_error::none).empty());
}
