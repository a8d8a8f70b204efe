#include "broker/iso_time.hpp"

using namespace broker;

TEST_CASE("Times of Celery's headers") {
    CHECK(parse_iso_time_us("1970-01-01T00:00:00+00:00") == 0);
    CHECK(parse_iso_time_us("2026-11-22T12:10:35.032847+00:00") == 1795349435032847);
    CHECK(parse_iso_time_us("2026-11-22T12:10:35.032847") == 1795349435032847);
    CHECK(parse_iso_time_us("2026-11-22T13:10:35.032847+01:00") == 1795349435032847);
    CHECK(parse_iso_time_us("2026-11-22T10:40:35,032847-01:30") == 1795349435032847);
    CHECK(parse_iso_time_us("2026-11-22 12:10:35.032847Z") == 1795349435032847);
    CHECK(parse_iso_time_us("20261122T121035.0328479Z") == 1795349435032847);
    CHECK(parse_iso_time_us("2026-11-22") == 1795305600000000);
    CHECK(parse_iso_time_us("1969-12-31T23:59:59Z") == -1000000);
}

TEST_CASE("What is no time") {
    for (const auto* bad :
         {"", "soon", "2026", "2026-13-01", "2026-02-30", "2026-11-22X", "2026-11-22T",
          "2026-11-22T12:", "2026-11-22T12:00:00+", "2026-11-22T12:00:00 UTC", "99999-01-01"})
        CHECK_FALSE(parse_iso_time_us(bad));
}

TEST_CASE("Times are written as they were read") {
    for (const auto* text : {"2026-11-22T12:10:35.032847+00:00", "2026-11-22T12:10:35+00:00",
                             "1969-12-31T23:59:59.500000+00:00"})
        CHECK(iso_time(*parse_iso_time_us(text)) == text);
}
