#include "sidecar/cli/api_client.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "sidecar/cli/commands.hpp"
#include "sidecar/cli/http_exchange.hpp"
#include "sidecar/cli/json_view.hpp"

using namespace sidecar;

TEST_CASE("api_client: URLs of a sidecar", "[cli][api_client]") {
    api_target target;
    REQUIRE_FALSE(read_api_url("http://127.0.0.1:8379", target));
    CHECK((target.host == "127.0.0.1" && target.port == "8379" && target.prefix.empty() && !target.tls));
    REQUIRE_FALSE(read_api_url("https://proxy.example/sidecar/", target));
    CHECK((target.host == "proxy.example" && target.port == "443" && target.prefix == "/sidecar" &&
           target.tls));
    REQUIRE_FALSE(read_api_url("http://[::1]:80/", target));
    CHECK((target.host == "::1" && target.port == "80"));
    REQUIRE_FALSE(read_api_url("localhost:9", target));
    CHECK((target.host == "localhost" && target.port == "9" && !target.tls));
    for (const char* bad :
         {"", "redis://h:1", "http://", "http://h:", "http://h:x", "http://u:p@h", "http://a b"})
        CHECK(read_api_url(bad, target));
}

TEST_CASE("api_client: names become one segment of a path", "[cli][api_client]") {
    CHECK(percent_encoded("a-b_c.d~e") == "a-b_c.d~e");
    CHECK(percent_encoded("w@host/1 %\x06") == "w%40host%2F1%20%25%06");
}

TEST_CASE("api_client: a refusal becomes an exit status and its detail", "[cli][api_client]") {
    const auto status_of = [](unsigned http) {
        return failure_of({http, boost::json::parse(R"({"title":"T","detail":"why"})"), ""}).status();
    };
    CHECK(status_of(400) == exit_status::bad_usage);
    CHECK(status_of(404) == exit_status::not_found);
    CHECK(status_of(409) == exit_status::refused);
    CHECK(status_of(403) == exit_status::refused);
    CHECK(status_of(503) == exit_status::failed);
    CHECK(std::string(failure_of({409, boost::json::parse(R"({"detail":"why"})"), ""}).what()) == "why");
    CHECK(std::string(failure_of({502, nullptr, "<html>"}).what()) == "the server answered 502");
}

TEST_CASE("event_parser: events come whole, wherever the bytes are cut", "[cli][events]") {
    const std::string text =
        ": hello\n\nevent: task-sent\r\ndata: {\"a\":1}\r\n\r\n"
        "id: 5\ndata: x\ndata: y\n\ndata: cut";
    for (std::size_t step = 1; step <= text.size(); ++step) {
        event_parser parser;
        std::vector<server_event> events;
        for (std::size_t place = 0; place < text.size(); place += step) {
            parser.feed(std::string_view(text).substr(place, step));
            for (server_event event; parser.next(event);) events.push_back(event);
        }
        REQUIRE(events.size() == 2);
        CHECK((events[0].name == "task-sent" && events[0].data == "{\"a\":1}"));
        CHECK((events[1].name.empty() && events[1].data == "x\ny"));
    }
}

TEST_CASE("json_view: members become cells, unknown ones a dash", "[cli][json_view]") {
    const auto item =
        boost::json::parse(R"({"name":"a\u001b","n":1234,"owner":{"node":null,"at":1.5},"list":["x",2],)"
                           R"("levels":{"0":5,"9":0}})");
    CHECK(cell_of(item, {"", "name"}).text == "a\\x1b");
    CHECK(cell_of(item, {"", "n", shown_as::count}).text == "1,234");
    CHECK(cell_of(item, {"", "owner.node"}).text == "-");
    CHECK(cell_of(item, {"", "owner.at", shown_as::duration}).text == "2s");
    CHECK(cell_of(item, {"", "list", shown_as::list}).text == "x, 2");
    CHECK(cell_of(item, {"", "levels", shown_as::priority}).text == "0:5");
    CHECK(cell_of(item, {"", "n.deeper"}).text == "-");
    CHECK(items_of(item).empty());
}

TEST_CASE("json_view: JSON is written as people write it", "[cli][json_view]") {
    const auto value = boost::json::parse(R"({"a":12.5,"b":[1,"x"],"c":{},"d":null})");
    CHECK(json_text(value, json_layout::line) == R"({"a":12.5,"b":[1,"x"],"c":{},"d":null})");
    CHECK(json_text(value) ==
          "{\n  \"a\": 12.5,\n  \"b\": [\n    1,\n    \"x\"\n  ],\n  \"c\": {},\n  \"d\": null\n}");
}
