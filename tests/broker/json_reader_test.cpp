#include "broker/json_reader.hpp"

#include <boost/json/serialize.hpp>

using namespace broker;
namespace json = boost::json;

namespace {

std::string again(std::string_view text) {
    const auto read = read_json(text);
    return read.ok() ? json::serialize(read.value) : "refused: " + read.error;
}

}  // namespace

TEST_CASE("JSON is read as it is") {
    for (const auto* text :
         {"null", "true", "0", "-1", "9223372036854775807", "18446744073709551615", R"("")", R"("a")", "[]",
          "{}", R"({"a":[1,{"b":"c"}],"d":null})", R"(["\n\"\\é☕𝄞"])"})
        CHECK(again(text) == text);
    CHECK(again(" [ 1 , 2 ] \n") == "[1,2]");
    CHECK(again(R"({"a":1,"a":2})") == R"({"a":2})");
    CHECK(again(R"("\u00e9\ud834\udd1e\/")") == "\"é𝄞/\"");
}

TEST_CASE("What Python writes beyond JSON") {
    CHECK(again("[NaN, Infinity, -Infinity]") ==
          R"([{"__type__":"float","__value__":"nan"},{"__type__":"float","__value__":"inf"},)"
          R"({"__type__":"float","__value__":"-inf"}])");
    CHECK(again("NaN") == R"({"__type__":"float","__value__":"nan"})");
    CHECK(again("-123456789012345678901234567890") ==
          R"({"__type__":"int","__value__":"-123456789012345678901234567890"})");
    CHECK(again(R"(["\ud800", "a\udc00\n", {"\ud800x": 1}])") ==
          "[\"\xEF\xBF\xBD\",\"a\xEF\xBF\xBD\\n\",{\"\xEF\xBF\xBDx\":1}]");
    CHECK(again("1e999") == R"({"__type__":"float","__value__":"inf"})");
}

TEST_CASE("What is not JSON") {
    for (const auto* bad :
         {"",    " ",    "nope", "[",   "]",     "[1",   "1 2",     "[1]]",      "1,2", "{\"a\"}", "{\"a\":}",
          "\"a", "[1,]", "tru",  "'a'", "{1:2}", "\xff", "\"\\x\"", "\"\\u12\"", "nan", "[1]["})
        CHECK_FALSE(read_json(bad).ok());
}

TEST_CASE("Nesting and number of values are bounded") {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    CHECK(read_json(nested(64)).ok());
    CHECK(read_json(nested(65)).error == "nested too deeply");
    CHECK_FALSE(read_json(nested(1'000'000)).ok());
    std::string many = "[0";
    for (int i = 0; i < 60'000; ++i) many += ",0";
    CHECK(read_json(many + "]").error == "too many values");
    const auto cut = read_json("\"" + std::string(70'000, 'x') + "\"");
    CHECK(cut.ok());
    CHECK(cut.cut);
    CHECK(cut.value.get_string().size() < 66'000);
}
