#include <catch2/catch.hpp>

#include "tests/sidecar/config/fixture.hpp"

using namespace sidecar;
using namespace config_fixture;
using namespace std::chrono_literals;

TEST_CASE("the flag --listen is repeated or separated by commas", "[config]") {
    const std::vector<endpoint> both{{"127.0.0.1", 1}, {"::1", 2}};
    CHECK(good({"--listen", "127.0.0.1:1", "--listen", "[::1]:2"}).listen == both);
    CHECK(good({"--listen", "127.0.0.1:1, [::1]:2"}).listen == both);
    CHECK(good({}, {{"SIDECAR_LISTEN", "127.0.0.1:1,[::1]:2"}}).listen == both);
    CHECK(good({"--listen", "off", "--unix", "/tmp/s"}).listen.empty());
}

TEST_CASE("values pass the command line as they are", "[config]") {
    for (const char* text : {"{}", "[a,b]", "%%", "a=b", "--x", "\"quoted\"", "a b", "päß", "#", "\\"}) {
        INFO(text);
        CHECK(good({"--password=" + std::string(text)}).password == text);
    }
    CHECK(good({"--password", "[a,b]"}).password == "[a,b]");
    CHECK(good({"--password", ""}, {{"REDIS_PASSWORD", "env"}}).password.empty());
    CHECK(good({"--password="}, {{"REDIS_PASSWORD", "env"}}).password.empty());
}

TEST_CASE("an unknown flag or argument is named, its value is not", "[config]") {
    CHECK(error({"--pasword", "secret"}) == "unknown flag '--pasword'");
    CHECK(error({"--pasword=secret"}) == "unknown flag '--pasword'");
    CHECK(error({"-v"}) == "unknown flag '-v'");
    CHECK(error({"--threads", "1", "extra"}) == "unexpected argument 'extra'");
    CHECK(error({"--listen", "127.0.0.1:1", "127.0.0.1:2"}) == "unexpected argument '127.0.0.1:2'");
    CHECK(error({"--embedded", "--", "x"}) != "accepted");
}

TEST_CASE("a flag without its value or given twice is named", "[config]") {
    CHECK(error({"--hold"}) == "--hold: the value is missing");
    CHECK(error({"--config"}) == "--config: the value is missing");
    CHECK(error({"--config="}) == "--config: the value is missing");
    CHECK(error({"--hold", "1", "--hold", "2"}) == "--hold: given more than once");
    CHECK(error({"--config", "a", "--config", "b"}) == "--config: given more than once");
}
