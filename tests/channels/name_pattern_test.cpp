#include "channels/name_pattern.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace channels;

TEST_CASE("globs are whole-name matches") {
    const auto pattern = name_pattern::glob("http.*");
    REQUIRE(pattern);
    CHECK(pattern->matches("http.request"));
    CHECK_FALSE(pattern->matches("https"));
    CHECK_FALSE(name_pattern::glob(""));
    CHECK_FALSE(name_pattern::glob(std::string(name_pattern::pattern_bytes_max + 1, 'a')));
}
