#include "sidecar/cli/units.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace sidecar;

TEST_CASE("units: counts have their thousands apart", "[cli][units]") {
    CHECK(count_text(0) == "0");
    CHECK(count_text(999) == "999");
    CHECK(count_text(1'234'567) == "1,234,567");
    CHECK(count_text(-12'345) == "-12,345");
}

TEST_CASE("units: a duration is told in its two greatest units", "[cli][units]") {
    CHECK(duration_text(0) == "0ms");
    CHECK(duration_text(0.34) == "340ms");
    CHECK(duration_text(0.9999) == "1s");
    CHECK(duration_text(12.4) == "12s");
    CHECK(duration_text(59.6) == "1m00s");
    CHECK(duration_text(185) == "3m05s");
    CHECK(duration_text(7800) == "2h10m");
    CHECK(duration_text(4 * 86'400.0 + 3 * 3600) == "4d03h");
    CHECK(duration_text(-5) == "-5s");
    CHECK(duration_text(1e300) == "?");
    CHECK(duration_text(std::numeric_limits<double>::quiet_NaN()) == "?");
}

TEST_CASE("units: bytes and rates keep the digits that matter", "[cli][units]") {
    CHECK(bytes_text(812) == "812 B");
    CHECK(bytes_text(1229) == "1.2 KiB");
    CHECK(bytes_text(34.0 * 1024 * 1024) == "34 MiB");
    CHECK(rate_text(0) == "0");
    CHECK(rate_text(0.25) == "0.25");
    CHECK(rate_text(12.44) == "12.4");
    CHECK(rate_text(1830.2) == "1,830");
}
