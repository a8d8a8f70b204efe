#include "resp/value.hpp"

#include <catch2/catch.hpp>

#include "resp/limits.hpp"

using namespace resp;

namespace {

value read(std::string_view bytes) {
    INFO(bytes);
    std::size_t used = 0;
    const std::string more = std::string(bytes) + "+next\r\n";
    auto v = parse_value(more, used);
    REQUIRE(v);
    CHECK(used == bytes.size());
    // Every beginning of it is incomplete.
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        std::size_t none = 1;
        CHECK_FALSE(parse_value(bytes.substr(0, length), none));
        CHECK(none == 0);
    }
    return *v;
}

}  // namespace

TEST_CASE("scalars") {
    CHECK(read("+OK\r\n").text == "OK");
    CHECK(read("-ERR no\r\n").type == kind::error);
    CHECK(read("-ERR no\r\n").text == "ERR no");
    CHECK(read(":-7\r\n").integer == -7);
    CHECK(read("$3\r\na\r\n\r\n").text == "a\r\n");
    CHECK(read("$0\r\n\r\n").text.empty());
    CHECK(read("$-1\r\n").type == kind::null);
    CHECK(read("*-1\r\n").type == kind::null);
    CHECK(read("_\r\n").type == kind::null);
    CHECK(read("#t\r\n").integer == 1);
    CHECK(read("#f\r\n").integer == 0);
    CHECK(read("#f\r\n").type == kind::boolean);
    CHECK(read(",1.5e-3\r\n").text == "1.5e-3");
    CHECK(read("(12345678901234567890\r\n").text == "12345678901234567890");
    CHECK(read("!5\r\nERR x\r\n").type == kind::error);
    CHECK(read("=7\r\ntxt:abc\r\n").text == "abc");
}

TEST_CASE("aggregates") {
    const value array = read("*3\r\n:1\r\n*1\r\n+a\r\n$-1\r\n");
    REQUIRE(array.items.size() == 3);
    CHECK(array.is_aggregate());
    CHECK(array.items[1].items[0].text == "a");
    CHECK(array.items[2].type == kind::null);
    CHECK(read("~1\r\n+a\r\n").type == kind::set);
    CHECK(read(">2\r\n+a\r\n+b\r\n").type == kind::push);
    CHECK(read("*0\r\n").items.empty());
}

TEST_CASE("a key is found in a map and in RESP2's flat array") {
    for (const auto* bytes :
         {"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n", "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n"}) {
        const value map = read(bytes);
        REQUIRE(map.find("b") != nullptr);
        CHECK(map.find("b")->integer == 2);
        CHECK(map.find("c") == nullptr);
    }
    // A value that looks like the key is not one.
    CHECK(read("*4\r\n+x\r\n+a\r\n+y\r\n:1\r\n").find("a") == nullptr);
    CHECK(read("*3\r\n+x\r\n+y\r\n+a\r\n").find("a") == nullptr);
}

TEST_CASE("attributes in front of a reply are skipped") {
    CHECK(read("|1\r\n+ttl\r\n:3\r\n+OK\r\n").text == "OK");
    const value array = read("*2\r\n|1\r\n+k\r\n+v\r\n:1\r\n:2\r\n");
    REQUIRE(array.items.size() == 2);
    CHECK(array.items[0].integer == 1);
}

TEST_CASE("what is no reply, or none that is read into a tree") {
    for (const auto* bytes :
         {"?\r\n", "\r\n", ":a\r\n", ":\r\n", "$a\r\nx\r\n", "*a\r\n", "*99999999999\r\n", "PING\r\n"})
        CHECK_FALSE(parse_value(bytes));
    const auto nested = [](int depth) {
        std::string bytes;
        for (int i = 0; i < depth; ++i) bytes += "*1\r\n";
        return bytes + ":1\r\n";
    };
    CHECK(parse_value(nested(reply_depth_max)));
    CHECK_FALSE(parse_value(nested(reply_depth_max + 1)));
}

TEST_CASE("a huge count without elements costs nothing") {
    CHECK_FALSE(parse_value("*2147483647\r\n"));
    CHECK_FALSE(parse_value("%2147483647\r\n:1\r\n"));
    CHECK_FALSE(parse_value("$9223372036854775807\r\nx"));
}
