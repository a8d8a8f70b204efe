#include "broker/pickle_machine.hpp"

using namespace broker::pickle;

TEST_CASE("The machine gives names and calls as nodes") {
    machine one("cos\nsystem\n(I1\ntR.", 100);
    const node_id root = one.run();
    REQUIRE(root != no_node);
    CHECK(one.error().empty());
    const node& call = one.at(root);
    CHECK(call.is == kind::call);
    CHECK(one.at(call.callee).text == "os.system");
    CHECK(one.at(call.args).items.size() == 1);
}

TEST_CASE("A shared value is one node") {
    const std::string bytes = "(]q\x01h\x01t.";
    machine one(bytes, 100);
    const node_id root = one.run();
    REQUIRE(root != no_node);
    REQUIRE(one.at(root).items.size() == 2);
    CHECK(one.at(root).items[0] == one.at(root).items[1]);
}

TEST_CASE("A machine stops at its bound of nodes") {
    const std::string bytes(50, 'N');
    machine one(bytes, 10);
    CHECK(one.run() == no_node);
    CHECK(one.error() == "too many values");
}
