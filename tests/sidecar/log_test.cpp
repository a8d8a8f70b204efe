#include <catch2/catch.hpp>

#include <vector>

#include "sidecar/net/log.hpp"
#include "sidecar/net/log_text.hpp"

using namespace sidecar;
using namespace std::chrono_literals;

namespace {

using fields = std::vector<log_field>;

const std::chrono::system_clock::time_point noon{std::chrono::milliseconds(1'700'000'000'042)};

std::string text_line(const fields& given) {
    return format_log_line(log_format::text, noon, log_level::info, "client closed", given);
}

std::string json_line(const fields& given) {
    return format_log_line(log_format::json, noon, log_level::warn, "client closed", given);
}

}  // namespace

TEST_CASE("a text line has time, level, event and fields, quoted where needed", "[log]") {
    CHECK(text_line({}) == "2023-11-14T22:13:20.042Z info client closed");
    CHECK(text_line({{"client", "12"}, {"addr", "1.2.3.4:5"}, {"cause", "output limit"}}) ==
          "2023-11-14T22:13:20.042Z info client closed client=12 addr=1.2.3.4:5 cause=\"output limit\"");
    CHECK(text_line({{"a", ""}, {"b", "x=y"}, {"c", "say \"hi\""}}) ==
          "2023-11-14T22:13:20.042Z info client closed a=\"\" b=\"x=y\" c=\"say \\\"hi\\\"\"");
}

TEST_CASE("a line stays one line whatever a client sends", "[log]") {
    const std::string hostile = std::string("a\nb\r\x1b[31m\0", 10) + "\xff";
    CHECK(text_line({{"name", hostile}}) ==
          "2023-11-14T22:13:20.042Z info client closed name=a\\nb\\r\\x1b[31m\\x00\\xff");
    CHECK(json_line({{"name", hostile}}).find('\n') == std::string::npos);
}

TEST_CASE("a JSON line is one object with everything escaped", "[log]") {
    CHECK(json_line({{"client", "12"}, {"cause", "say \"no\" \\ \t"}}) ==
          R"({"time":"2023-11-14T22:13:20.042Z","level":"warn","event":"client closed","client":"12",)"
          R"("cause":"say \"no\" \\ \t"})");
}

TEST_CASE("JSON strings keep UTF-8 and replace what is not", "[log]") {
    CHECK(json_string("päß €😀") == "\"päß €😀\"");
    CHECK(json_string(std::string_view("\0\x1f\x7f", 3)) == R"("\u0000\u001f\u007f")");
    const std::string replaced = "\xef\xbf\xbd";
    CHECK(json_string("\x80") == "\"" + replaced + "\"");
    CHECK(json_string("\xc3") == "\"" + replaced + "\"");
    CHECK(json_string("\xc0\xaf") == "\"" + replaced + replaced + "\"");                 // overlong
    CHECK(json_string("\xed\xa0\x80") == "\"" + replaced + replaced + replaced + "\"");  // surrogate
    CHECK(json_string("\xf4\x90\x80\x80") == "\"" + replaced + replaced + replaced + replaced + "\"");
}

TEST_CASE("levels below the configured one are not written", "[log]") {
    configure_log("warn", log_format::text);
    CHECK_FALSE(log_enabled(log_level::info));
    CHECK(log_enabled(log_level::warn));
    CHECK(log_enabled(log_level::error));
    configure_log("off", log_format::text);
    CHECK_FALSE(log_enabled(log_level::error));
    CHECK_FALSE(log_enabled(log_level::off));
    configure_log("info", log_format::text);
    CHECK(log_enabled(log_level::info));
}

TEST_CASE("the limiter passes so many lines a second and key, and tells what it held back", "[log]") {
    log_limiter limiter(2);
    const log_limiter::time_point start{};
    const auto admit = [&](std::string_view key, log_limiter::time_point now) {
        return limiter.admit(key, now).pass;
    };
    CHECK(admit("a", start));
    CHECK(admit("a", start));
    CHECK_FALSE(admit("a", start + 1ms));
    CHECK_FALSE(admit("a", start + 999ms));
    CHECK(admit("b", start + 999ms));
    const log_limiter::decision next = limiter.admit("a", start + 1s);
    CHECK(next.pass);
    CHECK(next.suppressed == 2);
    CHECK(limiter.admit("a", start + 1s).suppressed == 0);
}

TEST_CASE("the limiter forgets rather than grows without bound", "[log]") {
    log_limiter limiter(1);
    const log_limiter::time_point now{};
    for (int i = 0; i < 10'000; ++i) CHECK(limiter.admit(std::to_string(i), now).pass);
}
