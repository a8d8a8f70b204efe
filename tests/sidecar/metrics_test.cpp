#include "sidecar/core/metrics.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <regex>
#include <set>
#include <sstream>

using namespace sidecar;

namespace {

const std::vector<std::string> names{"get", "set"};

// Reads the text as Prometheus does; fails where it would.
std::map<std::string, double> samples(const std::string& text) {
    static const std::regex comment(R"(# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+))");
    static const std::regex sample(
        R"rx(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*)\})? ([0-9.e+-]+))rx");
    std::map<std::string, double> out;
    std::set<std::string> helped;
    std::map<std::string, std::string> typed;
    REQUIRE_FALSE(text.empty());
    CHECK(text.back() == '\n');
    std::istringstream in(text);
    std::string family;
    for (std::string line; std::getline(in, line);) {
        INFO(line);
        std::smatch m;
        if (line[0] == '#') {
            REQUIRE(std::regex_match(line, m, comment));
            family = m[2];
            if (m[1] == "HELP") CHECK(helped.insert(family).second);
            if (m[1] == "TYPE") {
                CHECK(typed.emplace(family, m[3]).second);
                CHECK((m[3] == "counter" || m[3] == "gauge" || m[3] == "histogram"));
            }
            continue;
        }
        REQUIRE(std::regex_match(line, m, sample));
        const std::string name = m[1];
        CHECK(name.rfind("sidecar_", 0) == 0);
        // Samples stand directly below the head of their family.
        const std::string tail = name.substr(std::min(name.size(), family.size()));
        CHECK(name.rfind(family, 0) == 0);
        const bool histogram = typed[family] == "histogram";
        CHECK((histogram ? tail == "_bucket" || tail == "_sum" || tail == "_count" : tail.empty()));
        if (typed[family] == "counter") CHECK(family.ends_with("_total"));
        CHECK(out.emplace(name + m[2].str(), std::stod(m[5])).second);
    }
    return out;
}

metrics example() {
    metrics m;
    m.count.clients_accepted = 3;
    m.now.clients = 2;
    m.shards = 1;
    m.upstream_up = {1, 1, 0};
    m.of(0, 0).calls = 10;
    m.of(0, 0).errors = 1;
    for (const std::uint32_t us : {100U, 101U, 700U, 6'000'000U}) m.of(0, 0).add_latency(us);
    m.of(2, 1).calls = 5;
    m.of(9, 1).calls = 1;
    m.refused("admin", 1);
    m.refused("admin", 1);
    m.refused("cross-db", 2);
    return m;
}

}  // namespace

TEST_CASE("the exposition is valid Prometheus text, empty and filled") {
    (void)samples(metrics{}.render(names));
    const auto s = samples(example().render(names));
    CHECK(s.at("sidecar_clients_accepted_total") == 3);
    CHECK(s.at("sidecar_clients") == 2);
    CHECK(s.at(R"(sidecar_upstream_up{db="0"})") == 1);
    CHECK(s.at(R"(sidecar_upstream_up{db="2"})") == 0);
    CHECK(s.at(R"(sidecar_policy_refusals_total{rule="admin",db="1"})") == 2);
    CHECK(s.at(R"(sidecar_commands_total{db="0",command="get"})") == 10);
    CHECK(s.at(R"(sidecar_commands_total{db="2",command="set"})") == 5);
    CHECK(s.at(R"(sidecar_commands_total{db="other",command="set"})") == 1);
    CHECK(s.at(R"(sidecar_command_errors_total{db="0",command="get"})") == 1);
    CHECK(s.count(R"(sidecar_command_errors_total{db="2",command="set"})") == 0);
}

TEST_CASE("latencies fall into cumulative buckets, bounds included") {
    const auto s = samples(example().render(names));
    const std::string head = R"(sidecar_command_duration_seconds_bucket{db="0",command="get",le=")";
    CHECK(s.at(head + "0.0001\"}") == 1);
    CHECK(s.at(head + "0.00025\"}") == 2);
    CHECK(s.at(head + "0.0005\"}") == 2);
    CHECK(s.at(head + "0.001\"}") == 3);
    CHECK(s.at(head + "5\"}") == 3);
    CHECK(s.at(head + "+Inf\"}") == 4);
    CHECK(s.at(R"(sidecar_command_duration_seconds_count{db="0",command="get"})") == 4);
    CHECK(s.at(R"(sidecar_command_duration_seconds_sum{db="0",command="get"})") == Approx(6.000901));
}

TEST_CASE("shards are summed") {
    metrics sum;
    sum += example();
    sum += example();
    CHECK(sum.shards == 2);
    CHECK(sum.calls_total() == 32);
    CHECK(sum.refusals_total() == 6);
    const auto s = samples(sum.render(names));
    CHECK(s.at("sidecar_clients_accepted_total") == 6);
    CHECK(s.at("sidecar_clients") == 4);
    CHECK(s.at(R"(sidecar_upstream_up{db="0"})") == 1);
    CHECK(s.at(R"(sidecar_command_duration_seconds_count{db="0",command="get"})") == 8);
    metrics down = example();
    down.upstream_up[0] = 0;
    sum += down;
    CHECK(samples(sum.render(names)).at(R"(sidecar_upstream_up{db="0"})") == 0);
}

TEST_CASE("a copy is its own") {
    metrics original = example();
    const metrics copy(original);
    original.of(0, 0).calls = 99;
    CHECK(copy.calls_total() == 16);
}

// Every number that is counted is shown: a counter without a row would stay 0 in all sums.
TEST_CASE("every counter and gauge is summed and shown") {
    metrics one;
    const auto fill = [](auto& numbers) {
        auto* first = reinterpret_cast<std::uint64_t*>(&numbers);
        for (std::size_t i = 0; i < sizeof numbers / sizeof(std::uint64_t); ++i) first[i] = 1000 + i;
    };
    fill(one.count);
    std::multiset<double> shown;
    metrics sum;
    sum += one;
    for (const auto& [name, v] : samples(sum.render(names)))
        if (v >= 1000) shown.insert(v);
    CHECK(shown.size() == sizeof(counters) / sizeof(std::uint64_t));
    metrics other;
    fill(other.now);
    shown.clear();
    metrics gauged;
    gauged += other;
    for (const auto& [name, v] : samples(gauged.render(names)))
        if (v >= 1000) shown.insert(v);
    CHECK(shown.size() == sizeof(gauges) / sizeof(std::uint64_t));
}
