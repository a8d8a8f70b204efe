#include "broker/metric_text.hpp"

#include "catch2/catch.hpp"

TEST_CASE("metric_line escapes what labels may hold", "[broker][metric_text]") {
    std::string text;
    broker::metric_line(text, "m", {{"a", "x\"y\\z\n"}, {"b", "\xff\xc3\xa4"}}, 1.5);
    broker::metric_line(text, "n", {}, 1'000'000);
    CHECK(text == "m{a=\"x\\\"y\\\\z\\n\",b=\"?\xc3\xa4\"} 1.5\nn 1e+06\n");
}

TEST_CASE("metric_histogram is cumulative and ends at +Inf", "[broker][metric_text]") {
    static constexpr double bounds[] = {0.5, 1};
    broker::histogram values(bounds);
    for (const double value : {0.25, 0.75, 3.0}) values.add(value);
    std::string text;
    broker::metric_histogram(text, "h", {{"q", "a"}}, values);
    CHECK(text ==
          "h_bucket{q=\"a\",le=\"0.5\"} 1\nh_bucket{q=\"a\",le=\"1\"} 2\nh_bucket{q=\"a\",le=\"+Inf\"} 3\n"
          "h_sum{q=\"a\"} 4\nh_count{q=\"a\"} 3\n");
}
