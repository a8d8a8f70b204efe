#include "broker/masking.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace broker;
namespace json = boost::json;

namespace {

masking usual() {
    const std::string pattern(default_mask);
    std::string error;
    auto made = masking::make({&pattern, 1}, error);
    REQUIRE(made);
    return *made;
}

std::string masked(const char* text) {
    auto value = json::parse(text);
    usual().apply(value);
    return json::serialize(value);
}

}  // namespace

TEST_CASE("Names that sound secret, in any case") {
    const auto mask = usual();
    for (const auto* name : {"password", "DB_PASSWORD", "client_secret", "apiKey", "api_key", "Authorization",
                             "csrf_token", "cookies"})
        CHECK(mask.hides(name));
    for (const auto* name : {"", "user", "delivery_tag", "id", "key"}) CHECK_FALSE(mask.hides(name));
    CHECK_FALSE(masking().hides("password"));
}

TEST_CASE("Values are hidden at any depth") {
    CHECK(masked(R"({"user":"a","password":"b","more":[{"token":{"x":1}}]})") ==
          R"({"user":"a","password":"***","more":[{"token":"***"}]})");
    CHECK(masked(R"({"__type__":"map","__value__":[["password","x"],[1,"y"]]})") ==
          R"({"__type__":"map","__value__":[["password","***"],[1,"y"]]})");
    CHECK(masked(R"({"__type__":"object","__value__":{"class":"C","args":[],"state":{"secret":"s"}}})") ==
          R"({"__type__":"object","__value__":{"class":"C","args":[],"state":{"secret":"***"}}})");
}

TEST_CASE("Texts in which Python printed arguments") {
    const auto mask = usual();
    CHECK(mask.apply_to_repr("{'user': 'a', 'password': 'b, c\\'d', 'x': 1}") ==
          "{'user': 'a', 'password': ***, 'x': 1}");
    CHECK(mask.apply_to_repr("(1, Login(password='b', user='c'), 2)") ==
          "(1, Login(password=***, user='c'), 2)");
    CHECK(mask.apply_to_repr("{'token': {'a': [1, 2]}, 'b': 2}") == "{'token': ***, 'b': 2}");
    CHECK(mask.apply_to_repr("{'password': 'cut off in the mid") == "{'password': ***");
    CHECK(mask.apply_to_repr("{'password':") == "{'password':***");
    CHECK(mask.apply_to_repr("(2, 'a: b', x == 3)") == "(2, 'a: b', x == 3)");
    CHECK(mask.apply_to_repr("") == "");
    CHECK(masked(R"({"kwargsrepr":"{'password': 'x'}","other":"{'password': 'x'}"})") ==
          R"({"kwargsrepr":"{'password': ***}","other":"{'password': 'x'}"})");
}

TEST_CASE("A pattern that is none is refused by name") {
    const std::string pattern = "(";
    std::string error;
    CHECK_FALSE(masking::make({&pattern, 1}, error));
    CHECK(error.starts_with("(: "));
}
