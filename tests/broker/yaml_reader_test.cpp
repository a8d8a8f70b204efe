#include "broker/yaml_reader.hpp"

#include <boost/json/serialize.hpp>

using namespace broker;
namespace json = boost::json;

namespace {

std::string shown(const std::string& text) {
    const auto read = read_yaml(text);
    return read.ok() ? json::serialize(read.value) : "refused: " + read.error;
}

}  // namespace

TEST_CASE("YAML's plain scalars, as PyYAML resolves them") {
    CHECK(shown("[~, null, yes, False, off, y, 12, -12, +1, 0x1F, 0o17, 017, 1_000, 08, 0b11]") ==
          R"([null,null,true,false,false,"y",12,-12,1,31,"0o17",15,1000,"08",3])");
    CHECK(shown("[1.5, .5, 1., 1e3, 1.0e+3, 1_0.5, 1.2.3, '12', \"yes\"]") ==
          R"([1.5E0,5E-1,1E0,"1e3",1E3,1.05E1,"1.2.3","12","yes"])");
    CHECK(shown(".nan") == R"({"__type__":"float","__value__":"nan"})");
    CHECK(shown("-.inf") == R"({"__type__":"float","__value__":"-inf"})");
    CHECK(shown("123456789012345678901") == R"({"__type__":"int","__value__":"123456789012345678901"})");
    CHECK(shown("2026-11-22") == R"({"__type__":"date","__value__":"2026-11-22"})");
    CHECK(shown("2026-11-22 12:10:35.5+00:00") ==
          R"({"__type__":"datetime","__value__":"2026-11-22 12:10:35.5+00:00"})");
    CHECK(shown("2026-11-22-9") == R"("2026-11-22-9")");
}

TEST_CASE("YAML's collections") {
    CHECK(shown("a: [1, {b: c}]\nd:\n- e\n") == R"({"a":[1,{"b":"c"}],"d":["e"]})");
    CHECK(shown("1: x\n") == R"({"__type__":"map","__value__":[[1,"x"]]})");
    CHECK(shown("!!set {a: null, b: null}") == R"({"__type__":"set","__value__":["a","b"]})");
    CHECK(shown("!!python/tuple [1, 2]") == R"({"__type__":"tuple","__value__":[1,2]})");
    CHECK(shown("!!binary AP8Q") == R"({"__type__":"base64","__value__":"AP8Q"})");
    CHECK(shown("") == "null");
}

TEST_CASE("A tag that PyYAML could run is shown") {
    CHECK(shown("!!python/object/apply:os.system ['rm -rf /']") ==
          R"({"__type__":"object","__value__":{"class":"tag:yaml.org,2002:python/object/apply:os.system",)"
          R"("args":[["rm -rf /"]]}})");
    CHECK(shown("!!python/name:os.system ''") ==
          R"({"__type__":"object","__value__":{"class":"python/name:os.system","args":[""]}})");
}

TEST_CASE("Aliases stand for their values, as far as the budget goes") {
    CHECK(shown("- &a [1]\n- *a\n") == "[[1],[1]]");
    CHECK(shown("&a [1, *a]") == R"([1,{"__type__":"cycle","__value__":"..."}])");
    CHECK(shown("*a") == "refused: an alias without its anchor");
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; ++i) {
        const std::string one = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + one;
        for (int n = 0; n < 8; ++n) bomb += ", " + one;
        bomb += "]\n";
    }
    CHECK(shown(bomb) == "refused: too many values");
}

TEST_CASE("Hostile YAML") {
    CHECK(shown("a: b: c") == "refused: not YAML");
    CHECK(shown("\xff\xfe") == "refused: not YAML");
    CHECK(shown("--- a\n--- b\n") == "refused: more than one document");
    CHECK(shown("!!binary '*'") == "refused: bad base64");
    CHECK(shown(std::string(500, '[')) == "refused: nested too deeply");
    CHECK(shown("[[[") == "refused: not YAML");
}
