#include "broker/pickle_reader.hpp"

#include <boost/json/serialize.hpp>

using namespace broker;
using namespace std::string_literals;
namespace json = boost::json;

namespace {

std::string shown(const std::string& bytes) {
    const auto read = read_pickle(bytes);
    return read.ok() ? json::serialize(read.value) : "refused: " + read.error;
}

std::string object(const std::string& inner) {
    return R"({"__type__":"object","__value__":{)" + inner + "}}";
}

}  // namespace

TEST_CASE("Pickles of the oldest protocol") {
    CHECK(shown("(lp0\nI1\naI01\naF1.5\naS'a\\x41'\np1\naVb\naNaL5L\na.") ==
          R"([1,true,1.5E0,"aA","b",null,5])");
    CHECK(shown("(dp0\nS'k'\nI2\ns.") == R"({"k":2})");
    CHECK(shown("(I1\nI2\nt.") == "[1,2]");
}

TEST_CASE("Numbers of any length") {
    CHECK(shown("\x80\x02\x8a\x01\xff.") == "-1");
    CHECK(shown("\x80\x02\x8a\x00."s) == "0");
    CHECK(shown("\x80\x02\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00."s) == "18446744073709551615");
    CHECK(shown("\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01."s) ==
          R"({"__type__":"int","__value__":"18446744073709551616"})");
    CHECK(shown("\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\xff."s) ==
          R"({"__type__":"int","__value__":"-18446744073709551616"})");
    std::string huge(2054, '\x11');
    huge.replace(0, 5, "\x8b\x00\x08\x00\x00", 5);
    huge.back() = '.';
    CHECK(shown(huge).starts_with(R"({"__type__":"int","__value__":"0x1111)"));
}

TEST_CASE("What would run is shown and not run") {
    CHECK(shown("cos\nsystem\n(S'touch /tmp/pwned'\ntR.") ==
          object(R"("class":"os.system","args":["touch /tmp/pwned"])"));
    CHECK(shown("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.") ==
          object(R"("class":"os.system","args":["id"])"));
    CHECK(shown("(ios\nsystem\n.") == object(R"("class":"os.system","args":[])"));
    CHECK(shown("(cos\nsystem\nS'id'\no.") == object(R"("class":"os.system","args":["id"])"));
    CHECK(shown("cbuiltins\neval\n.") == object(R"("class":"builtins.eval","args":[])"));
    CHECK(shown("cm\nC\n)\x81}S'a'\nI1\nsb.") == object(R"("class":"m.C","args":[],"state":{"a":1})"));
    CHECK(shown("cm\nC\n)}S'a'\nI1\ns\x92.") == object(R"("class":"m.C","args":[],"kwargs":{"a":1})"));
    CHECK(shown("cm\nC\n)\x81(I1\nI2\ne.") == object(R"("class":"m.C","args":[],"items":[1,2])"));
    CHECK(shown("Psome id\n.") == object(R"("class":"persistent","args":["some id"])"));
    CHECK(shown("S'x'\n)R.") == object(R"("class":"x","args":[])"));
}

TEST_CASE("A callee that is itself a call") {
    CHECK(shown("cbuiltins\ngetattr\n(S'os'\nS'x'\ntR(S'id'\ntR.") ==
          object(R"("class":)" + object(R"("class":"builtins.getattr","args":["os","x"])") +
                 R"(,"args":["id"])"));
}

TEST_CASE("Shared values are repeated, cycles named, and neither can grow without bounds") {
    CHECK(shown("]q\x00(h\x00h\x00"s + "e.") ==
          R"([{"__type__":"cycle","__value__":"..."},{"__type__":"cycle","__value__":"..."}])");
    CHECK(shown("(]q\x00I1\nah\x00l."s) == "[[1],[1]]");
    // Each list holds the one before ten times.
    std::string bomb = "]q\x00I0\na0"s;
    for (char level = 1; level < 20; ++level) {
        bomb += "(";
        for (int i = 0; i < 10; ++i) bomb += "h"s + static_cast<char>(level - 1);
        bomb += "lq"s + level + "0";
    }
    bomb += "h\x13.";
    CHECK(shown(bomb) == "refused: too many values");
}

TEST_CASE("Hostile pickles") {
    CHECK(shown("") == "refused: cut off");
    CHECK(shown(".") == "refused: not a pickle: its stack is empty");
    CHECK(shown("\x80\x63.") == "refused: a pickle of an unknown protocol");
    CHECK(shown("t.") == "refused: not a pickle: no mark");
    CHECK(shown("(0.") == "refused: not a pickle: its stack is empty");
    CHECK(shown("h\x07.") == "refused: not a pickle: nothing of that number in the memo");
    CHECK(shown("X\xff\xff\xff\xff.") == "refused: cut off");
    CHECK(shown("\x8d\xff\xff\xff\xff\xff\xff\xff\xff.") == "refused: cut off");
    CHECK(shown("I1\nI2\na.") == "refused: not a pickle: items for what holds none");
    CHECK(shown("I1\nI2\nb.") == "refused: not a pickle: a state for what has none");
    CHECK(shown("(I1\nd.") == "refused: not a pickle: a key without a value");
    CHECK(shown("Iabc\n.") == "refused: not a pickle: a bad integer");
    CHECK(shown("\x97.") == "refused: a pickle with buffers outside of it");
    CHECK(shown("R.") == "refused: not a pickle: its stack is empty");
    CHECK(shown(std::string(200'000, 'N')) == "refused: too many values");
    std::string deep(10'000, ']');
    CHECK(shown(deep + std::string(9'999, 'a') + ".") == "refused: nested too deeply");
    std::string marks(100'000, '(');
    CHECK(shown(marks) == "refused: cut off");
}
