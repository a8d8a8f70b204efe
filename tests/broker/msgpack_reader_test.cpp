#include "broker/msgpack_reader.hpp"

#include <boost/json/serialize.hpp>

using namespace broker;
using namespace std::string_literals;
namespace json = boost::json;

namespace {

std::string shown(const std::string& bytes) {
    const auto read = read_msgpack(bytes);
    return read.ok() ? json::serialize(read.value) : "refused: " + read.error;
}

}  // namespace

TEST_CASE("MessagePack of every width") {
    CHECK(shown("\x07") == "7");
    CHECK(shown("\xff") == "-1");
    CHECK(shown("\xc0") == "null");
    CHECK(shown("\xc2") == "false");
    CHECK(shown("\xc3") == "true");
    CHECK(shown("\xcc\xff") == "255");
    CHECK(shown("\xcd\x01\x00"s) == "256");
    CHECK(shown("\xce\x00\x01\x00\x00"s) == "65536");
    CHECK(shown("\xcf\xff\xff\xff\xff\xff\xff\xff\xff") == "18446744073709551615");
    CHECK(shown("\xd0\x80") == "-128");
    CHECK(shown("\xd1\x80\x00"s) == "-32768");
    CHECK(shown("\xd2\x80\x00\x00\x00"s) == "-2147483648");
    CHECK(shown("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"s) == "-9223372036854775808");
    CHECK(shown("\xca\x3f\xc0\x00\x00"s) == "1.5E0");
    CHECK(shown("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"s) == "1.5E0");
    CHECK(shown("\xa1"
                "a") == "\"a\"");
    CHECK(shown("\xd9\x01"
                "a") == "\"a\"");
    CHECK(shown("\x92\x01\x02") == "[1,2]");
    CHECK(shown("\xdc\x00\x01\x05"s) == "[5]");
    CHECK(shown("\x81\xa1k\x05") == R"({"k":5})");
    CHECK(shown("\xde\x00\x01\xa1k\x05"s) == R"({"k":5})");
}

TEST_CASE("MessagePack that JSON has no form for") {
    CHECK(shown("\xc4\x01\xff") == R"({"__type__":"base64","__value__":"/w=="})");
    CHECK(shown("\xa1\xff") == R"({"__type__":"base64","__value__":"/w=="})");
    CHECK(shown("\x81\x01\x02") == R"({"__type__":"map","__value__":[[1,2]]})");
    CHECK(shown("\xd4\x05x") == R"({"__type__":"ext","__value__":[5,{"__type__":"bytes","__value__":"x"}]})");
    CHECK(shown("\xd6\xff\x00\x00\x00\x01"s) ==
          R"({"__type__":"datetime","__value__":"1970-01-01T00:00:01+00:00"})");
    CHECK(shown("\xca\x7f\xc0\x00\x00"s) == R"({"__type__":"float","__value__":"nan"})");
}

TEST_CASE("Hostile MessagePack") {
    CHECK(shown("") == "refused: cut off");
    CHECK(shown("\xc1") == "refused: not MessagePack");
    CHECK(shown("\x01\x02") == "refused: something follows the value");
    CHECK(shown("\xdd\xff\xff\xff\xff") == "refused: cut off");
    CHECK(shown("\xdf\xff\xff\xff\xff") == "refused: cut off");
    CHECK(shown("\xdb\xff\xff\xff\xff") == "refused: cut off");
    CHECK(shown("\xc9\xff\xff\xff\xff\x01") == "refused: cut off");
    CHECK(shown(std::string(100'000, '\x91')) == "refused: nested too deeply");
    std::string many(65'541, '\0');
    many[0] = '\xdd';
    many[2] = '\x01';
    CHECK(shown(many) == "refused: too many values");
}
