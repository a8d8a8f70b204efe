#include "bench/load/fanout_report.hpp"

#include <catch2/catch.hpp>

using namespace bench;
using namespace std::chrono_literals;

namespace {

step_record step_of(const std::string& target, double rate, std::chrono::nanoseconds latency) {
    step_record step;
    step.target = target;
    step.plan.rate = rate;
    step.result.sent = 100;
    step.result.expected = step.result.delivered = 1000;
    step.result.seconds = 100 / rate;
    step.result.latency.add(latency, 1000);
    step.result.last.add(latency, 100);
    step.result.load_cpu_ns = 5'000'000;
    step.servers = {{"redis", 2'000'000}};
    return step;
}

fanout_record sample() {
    fanout_record record;
    record.title = "10 members \"<&\\";
    record.steps = {step_of("one", 100, 2ms), step_of("two", 100, 3ms), step_of("one", 200, 90ms)};
    record.steps[1].result.faults.lost = 7;
    record.steps[1].redis_bytes = 25'000;
    return record;
}

std::size_t times(const std::string& text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

}  // namespace

TEST_CASE("figures are of one delivery and one second") {
    const step_record step = step_of("one", 100, 2ms);
    CHECK(step.cpu_us(step.servers[0].ns) == Approx(2));
    CHECK(step.messages_per_second() == Approx(100));
    CHECK(step.deliveries_per_second() == Approx(1000));
    CHECK(step.load_share() == Approx(0.005));
    CHECK(step.verdict().achieved == Approx(100));
}

TEST_CASE("deliveries that did not come are no achievement") {
    step_record step = step_of("one", 100, 2ms);
    step.result.delivered = 500;
    CHECK(step.verdict().achieved == Approx(50));
    step = step_of("one", 100, 2ms);
    step.result.seconds = 2;  // it took twice the time in which the messages were due
    CHECK(step.verdict().achieved < 51);
}

TEST_CASE("the knee is told for each target by its own steps") {
    const fanout_record record = sample();
    CHECK(record.targets() == std::vector<std::string>{"one", "two"});
    CHECK(record.knee_of("one") == 100);
    CHECK_FALSE(record.knee_of("two"));
}

TEST_CASE("the table has a line for every step, and the losses") {
    const std::string text = table(sample());
    CHECK(times(text, "\none ") == 3);  // two steps and its knee
    CHECK(text.find("7/0/0") != std::string::npos);
    CHECK(text.find("keeps up with 100 messages/s") != std::string::npos);
}

TEST_CASE("the JSON has every figure and its words are quoted") {
    const std::string text = json(sample());
    CHECK(text.find("10 members \\\"<&\\\\") != std::string::npos);
    CHECK(times(text, "\"target\"") == 3);
    CHECK(times(text, "\"redis_bytes_per_message\": 250.0,") == 1);
    CHECK(text.find("\"knee\": {\"one\": 100.0, \"two\": null}") != std::string::npos);
    CHECK(text.find("\"cpu_us_per_delivery\": {\"redis\": 2.0000, \"load\": 5.0000}") != std::string::npos);
    CHECK(times(text, "{") == times(text, "}"));
}

TEST_CASE("the page draws every target and needs nothing from elsewhere") {
    const std::string page = html(sample());
    CHECK(times(page, "<svg") == 6);
    CHECK(times(page, "<svg") == times(page, "</svg>"));
    CHECK(page.find("&lt;&amp;") != std::string::npos);
    CHECK(page.find("nan") == std::string::npos);
    CHECK(page.find("inf") == std::string::npos);
    for (const std::string_view outside : {"http:", "https:", "<script", "<link", "src="})
        CHECK(page.find(outside) == std::string::npos);
}
