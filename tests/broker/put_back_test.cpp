#include "broker/put_back.hpp"

#include <initializer_list>

#include "resp/value.hpp"

using namespace broker;
using from = popped::where;
using texts = std::vector<std::string>;

namespace {

blocking_call call_of(std::initializer_list<std::string_view> args) {
    blocking_call call;
    REQUIRE(parse_blocking(std::span(args.begin(), args.size()), call) == blocking_parse::blocking);
    return call;
}

// The arguments of the EVAL after its key: the TTL, then what goes back.
texts arguments(const std::string& command, const std::string& key) {
    const auto tree = resp::parse_value(command);
    REQUIRE(tree);
    REQUIRE(tree->items.size() >= 7);
    CHECK(tree->items[0].text == "EVAL");
    CHECK(tree->items[2].text == "2");
    CHECK(tree->items[3].text == key);
    CHECK(tree->items[4].text == "token");
    texts out;
    for (std::size_t i = 5; i < tree->items.size(); ++i) out.push_back(tree->items[i].text);
    return out;
}

std::string script(const popped& what) {
    return resp::parse_value(put_back_command(what, std::nullopt, "token"))->items[1].text;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a list pop's reply is read with the end it came from", "[put_back]") {
    const std::string reply = "*2\r\n$1\r\nq\r\n$3\r\na\r\n\r\n";
    const auto head = read_popped(call_of({"blpop", "p", "q", "1"}), reply);
    REQUIRE(head);
    CHECK(head->key == "q");
    CHECK(head->from == from::list_head);
    CHECK(head->elements == texts{"a\r\n"});
    CHECK(head->scores.empty());
    CHECK(read_popped(call_of({"BRPOP", "q", "1"}), reply)->from == from::list_tail);
}

TEST_CASE("several popped elements keep their order", "[put_back]") {
    const std::string reply = "*2\r\n$1\r\nq\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$0\r\n\r\n";
    const auto head = read_popped(call_of({"BLMPOP", "1", "2", "p", "q", "left", "COUNT", "3"}), reply);
    REQUIRE(head);
    CHECK(head->from == from::list_head);
    CHECK(head->elements == texts{"a", "b", ""});
    CHECK(read_popped(call_of({"BLMPOP", "1", "1", "q", "Right"}), reply)->from == from::list_tail);
}

TEST_CASE("scores are read as Redis sent them in both protocols", "[put_back]") {
    const auto min = call_of({"BZPOPMIN", "z", "1"});
    for (const char* reply : {"*3\r\n$1\r\nz\r\n$1\r\na\r\n$19\r\n0.10000000000000001\r\n",
                              "*3\r\n$1\r\nz\r\n$1\r\na\r\n,0.10000000000000001\r\n"}) {
        const auto what = read_popped(min, reply);
        REQUIRE(what);
        CHECK(what->from == from::sorted_set);
        CHECK(what->elements == texts{"a"});
        CHECK(what->scores == texts{"0.10000000000000001"});
    }
    const auto many = read_popped(call_of({"BZMPOP", "1", "1", "z", "MAX", "COUNT", "2"}),
                                  "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nc\r\n,inf\r\n*2\r\n$1\r\nb\r\n,1\r\n");
    REQUIRE(many);
    CHECK(many->elements == texts{"c", "b"});
    CHECK(many->scores == texts{"inf", "1"});
}

TEST_CASE("nothing is read from replies without elements or calls that do not pop", "[put_back]") {
    const auto blpop = call_of({"BLPOP", "q", "1"});
    for (const char* reply : {"*-1\r\n", "_\r\n", "$-1\r\n", "-ERR no\r\n", "*0\r\n", "*2\r\n$1\r\nq\r\n", "",
                              "*2\r\n$1\r\nq\r\n*1\r\n$1\r\na\r\n"}) {
        INFO(reply);
        CHECK_FALSE(read_popped(blpop, reply));
    }
    CHECK_FALSE(read_popped(call_of({"BLMPOP", "1", "1", "q", "LEFT"}), "*2\r\n$1\r\nq\r\n$1\r\na\r\n"));
    CHECK_FALSE(read_popped(call_of({"BZMPOP", "1", "1", "z", "MIN"}), "*2\r\n$1\r\nz\r\n*1\r\n$1\r\na\r\n"));
    CHECK_FALSE(read_popped(call_of({"BLMOVE", "a", "b", "LEFT", "LEFT", "1"}), "$1\r\na\r\n"));
    CHECK_FALSE(
        read_popped(call_of({"XREAD", "BLOCK", "1", "STREAMS", "s", "0"}), "*2\r\n$1\r\nq\r\n$1\r\na\r\n"));
}

TEST_CASE("what was popped last goes back first, at the end it came from", "[put_back]") {
    const popped head{"q", from::list_head, {"a", "b", "c"}, {}};
    CHECK(arguments(put_back_command(head, std::nullopt, "token"), "q") == texts{"0", "c", "b", "a"});
    CHECK(has(script(head), "LPUSH"));
    CHECK_FALSE(has(script(head), "RPUSH"));
    const popped tail{"q", from::list_tail, {"a", "b"}, {}};
    CHECK(arguments(put_back_command(tail, std::nullopt, "token"), "q") == texts{"0", "b", "a"});
    CHECK(has(script(tail), "RPUSH"));
    CHECK_FALSE(has(script(tail), "LPUSH"));
}

TEST_CASE("members go back with their scores unless they were added again meanwhile", "[put_back]") {
    const popped what{"z", from::sorted_set, {"a", "b"}, {"-inf", "0.10000000000000001"}};
    CHECK(arguments(put_back_command(what, std::nullopt, "token"), "z") ==
          texts{"0", "0.10000000000000001", "b", "-inf", "a"});
    CHECK(has(script(what), "'ZADD', KEYS[1], 'NX'"));
}

TEST_CASE("the former TTL is given only to a key that was gone", "[put_back]") {
    const popped what{"q", from::list_head, {"a"}, {}};
    CHECK(arguments(put_back_command(what, 1500, "token"), "q")[0] == "1500");
    CHECK(arguments(put_back_command(what, 0, "token"), "q")[0] == "0");
    CHECK(arguments(put_back_command(what, -1, "token"), "q")[0] == "0");
    const std::string text = script(what);
    CHECK(text.find("EXISTS") < text.find("LPUSH"));
    CHECK(text.find("LPUSH") < text.find("redis.call('SET', KEYS[2]"));
    CHECK(text.find("LPUSH") < text.find("if fresh and ttl > 0 then redis.call('PEXPIRE'"));
}
