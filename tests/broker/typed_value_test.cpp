#include "broker/typed_value.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <limits>

using namespace broker;
namespace json = boost::json;

namespace {

std::string repr(const char* text) {
    return python_repr(json::parse(text), 1000);
}

}  // namespace

TEST_CASE("UTF-8 is told from other bytes") {
    for (const auto* good : {"", "abc", "naïve ☕", "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF"}) CHECK(is_utf8(good));
    for (const auto* bad :
         {"\xff", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3", "a\x80"})
        CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("A budget cuts long texts between characters and says how much is missing") {
    value_limits limits;
    limits.text_bytes_max = 4;
    value_budget budget(limits);
    CHECK(budget.text("abcd") == "abcd");
    CHECK_FALSE(budget.cut());
    CHECK(budget.text("abc☕xyz") == "abc… (6 bytes more)");
    CHECK(budget.cut());
    CHECK(budget.text("a\xff") == "a\xEF\xBF\xBD");
}

TEST_CASE("A budget bounds all texts and all values together") {
    value_limits limits;
    limits.texts_bytes_max = 10;
    limits.nodes_max = 3;
    value_budget budget(limits);
    CHECK(budget.take());
    CHECK(budget.text("12345678").size() == 8);
    CHECK(budget.text("12345678") == "12… (6 bytes more)");
    CHECK(budget.text("12345678") == "… (8 bytes more)");
    CHECK(budget.take());
    CHECK(budget.take());
    CHECK_FALSE(budget.take());
}

TEST_CASE("Bytes are a text where they can be") {
    value_budget budget{value_limits{}};
    CHECK(json::serialize(budget.bytes("abc")) == R"({"__type__":"bytes","__value__":"abc"})");
    CHECK(json::serialize(budget.bytes("\xff")) == R"({"__type__":"base64","__value__":"/w=="})");
}

TEST_CASE("Numbers that JSON has none for") {
    CHECK(number(1.5) == json::value(1.5));
    CHECK(number(std::numeric_limits<double>::infinity()) == typed("float", "inf"));
    CHECK(number(-std::numeric_limits<double>::infinity()) == typed("float", "-inf"));
    CHECK(number(std::numeric_limits<double>::quiet_NaN()) == typed("float", "nan"));
}

TEST_CASE("Values in Python's spelling") {
    CHECK(repr(R"([1, -2, 18446744073709551615, 1.0, 0.25, true, false, null])") ==
          "[1, -2, 18446744073709551615, 1.0, 0.25, True, False, None]");
    CHECK(repr(R"(["a", "it's", "say \"hi\"", "both ' and \"", "a\nb\\\u0001"])") ==
          R"(['a', "it's", 'say "hi"', 'both \' and "', 'a\nb\\\x01'])");
    CHECK(repr(R"({"a": {"b": []}, "c": {}})") == "{'a': {'b': []}, 'c': {}}");
    CHECK(repr(R"({"__type__": "tuple", "__value__": [1]})") == "(1,)");
    CHECK(repr(R"({"__type__": "tuple", "__value__": [1, 2]})") == "(1, 2)");
    CHECK(repr(R"({"__type__": "set", "__value__": [1]})") == "{1}");
    CHECK(repr(R"({"__type__": "set", "__value__": []})") == "set([])");
    CHECK(repr(R"({"__type__": "map", "__value__": [[1, "x"], [null, 2]]})") == "{1: 'x', None: 2}");
    CHECK(repr(R"({"__type__": "int", "__value__": "123456789012345678901"})") == "123456789012345678901");
    CHECK(repr(R"({"__type__": "bytes", "__value__": "ab"})") == "b'ab'");
    CHECK(repr(R"({"__type__": "datetime", "__value__": "2026-11-22T12:00:00"})") ==
          "datetime('2026-11-22T12:00:00')");
    CHECK(repr(R"({"__type__": "object", "__value__": {"class": "os.system", "args": ["ls"]}})") ==
          "os.system('ls')");
}

TEST_CASE("A long repr is cut between characters") {
    CHECK(python_repr(json::parse(R"(["aaaa☕☕☕☕☕☕☕☕"])"), 8) == "['aaaa…");
    CHECK(python_repr(json::array(100000, json::value(1)), 100).size() < 120);
}
