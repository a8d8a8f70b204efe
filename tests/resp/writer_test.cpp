#include "resp/writer.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace resp;

namespace {

template <class Append>
std::string written(Append&& append) {
    std::string out = "before";
    append(out);
    REQUIRE(out.rfind("before", 0) == 0);
    return out.substr(6);
}

}  // namespace

TEST_CASE("frames of both protocols") {
    CHECK(written([](auto& o) { append_bulk(o, "ab"); }) == "$2\r\nab\r\n");
    CHECK(written([](auto& o) { append_bulk(o, ""); }) == "$0\r\n\r\n");
    CHECK(written([](auto& o) { append_simple(o, "OK"); }) == "+OK\r\n");
    CHECK(written([](auto& o) { append_array_header(o, 3); }) == "*3\r\n");
    CHECK(written([](auto& o) { append_push_header(o, 2); }) == ">2\r\n");
    CHECK(written([](auto& o) { append_map_header(o, 2, 2); }) == "*4\r\n");
    CHECK(written([](auto& o) { append_map_header(o, 2, 3); }) == "%2\r\n");
    CHECK(written([](auto& o) { append_null(o, 2); }) == "$-1\r\n");
    CHECK(written([](auto& o) { append_null(o, 3); }) == "_\r\n");
    CHECK(written([](auto& o) { append_null_array(o, 2); }) == "*-1\r\n");
    CHECK(written([](auto& o) { append_null_array(o, 3); }) == "_\r\n");
    CHECK(written([](auto& o) { append_verbatim(o, "hi", 2); }) == "$2\r\nhi\r\n");
    CHECK(written([](auto& o) { append_verbatim(o, "hi", 3); }) == "=6\r\ntxt:hi\r\n");
}

TEST_CASE("integers to the ends of their range") {
    CHECK(written([](auto& o) { append_integer(o, 0); }) == ":0\r\n");
    CHECK(written([](auto& o) { append_integer(o, std::numeric_limits<std::int64_t>::min()); }) ==
          ":-9223372036854775808\r\n");
    CHECK(written([](auto& o) { append_integer(o, std::numeric_limits<std::int64_t>::max()); }) ==
          ":9223372036854775807\r\n");
}

TEST_CASE("an error stays one line") {
    CHECK(written([](auto& o) { append_error(o, "ERR a\r\nb\nc"); }) == "-ERR a  b c\r\n");
}

TEST_CASE("commands are arrays of bulks, bytes untouched") {
    const std::string binary("\r\n\0", 3);
    CHECK(command({"SET", "k", binary}) == "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n" + binary + "\r\n");
    CHECK(command({""}) == "*1\r\n$0\r\n\r\n");
}
