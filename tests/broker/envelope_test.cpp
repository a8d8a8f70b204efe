#include "broker/envelope.hpp"

#include "tests/broker/messages.hpp"

using namespace broker;

TEST_CASE("An envelope tells everything its headers and properties say") {
    const std::string element = tests::add_message();
    const auto got = read_envelope(element);
    REQUIRE(got);
    const message_head& head = got->head;
    CHECK(head.tag == "tag-1");
    CHECK(head.id == "id-1");
    CHECK(head.task == "proj.add");
    CHECK(head.group_id == "g-1");
    CHECK(head.group_index == 2);
    CHECK(head.root_id == "root-1");
    CHECK(head.parent_id.empty());
    CHECK(head.retries == 3);
    CHECK(head.limits.hard_s == 60.0);
    CHECK(head.limits.soft_s == 50.5);
    CHECK(head.argsrepr == "(2, 2)");
    CHECK(head.origin == "gen1@vm");
    CHECK(head.ignore_result);
    CHECK(head.exchange.empty());
    CHECK(head.routing_key == "celery");
    CHECK(head.priority == 6);
    CHECK(head.body_encoding == "base64");
    CHECK(head.content_type == "application/json");
    CHECK_FALSE(head.redelivered);
    REQUIRE(head.stamps.size() == 1);
    CHECK(head.stamps[0].name == "who");
    CHECK(head.stamps[0].values == std::vector<std::string>{"me", "7"});
    CHECK(got->headers == tests::add_headers);
    CHECK(got->properties == tests::add_properties);
    CHECK(got->body == "W1syLCAyXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbH1d");
    CHECK(got->body.data() >= element.data());
    CHECK(got->body.data() < element.data() + element.size());
}

TEST_CASE("Members may come in any order and spacing") {
    const auto got = read_envelope(
        "{\"properties\":{\"delivery_tag\":\"t\"} ,\n \"headers\" : {\"task\":\"x\"} , \"body\":\"\"}");
    REQUIRE(got);
    CHECK(got->head.tag == "t");
    CHECK(got->head.task == "x");
    CHECK(got->headers == R"({"task":"x"})");
    CHECK(got->body.empty());
}

TEST_CASE("A message given again says so") {
    CHECK(read_envelope(R"({"body":"","headers":{"redelivered":true},"properties":{"delivery_tag":"t"}})")
              ->head.redelivered);
    CHECK(read_envelope(R"({"body":"","headers":{},"properties":{"delivery_tag":"t",)"
                        R"("delivery_info":{"redelivered":true}}})")
              ->head.redelivered);
}

TEST_CASE("Protocol 1 has its id among the properties") {
    const auto got = read_envelope(
        R"({"body":"e30=","headers":{},"properties":{"correlation_id":"c","delivery_tag":"t"}})");
    REQUIRE(got);
    CHECK(got->head.id == "c");
    CHECK(got->head.task.empty());
}

TEST_CASE("Fields of an unexpected type are absent") {
    const auto got = read_envelope(
        R"({"body":"","headers":{"task":7,"id":["a"],"retries":"many","timelimit":{"a":1},)"
        R"("stamps":[1],"group_index":1.5},)"
        R"("properties":{"delivery_tag":"t","priority":null,"delivery_info":"none","correlation_id":"c"}})");
    REQUIRE(got);
    CHECK(got->head.task.empty());
    CHECK(got->head.id == "c");
    CHECK(got->head.retries == 0);
    CHECK_FALSE(got->head.limits.hard_s);
    CHECK_FALSE(got->head.group_index);
    CHECK(got->head.tag == "t");
}

TEST_CASE("A lone surrogate costs its own field only") {
    const auto got = read_envelope(
        R"({"body":"","headers":{"argsrepr":"\ud800","task":"x"},"properties":{"delivery_tag":"t"}})");
    REQUIRE(got);
    CHECK(got->head.argsrepr.empty());
    CHECK(got->head.task == "x");
    CHECK(got->head.tag == "t");
}

TEST_CASE("A message without headers is one") {
    for (const auto* element : {R"({"body":"","properties":{"delivery_tag":"t"}})",
                                R"({"body":"","headers":null,"properties":{"delivery_tag":"t"}})",
                                R"({"body":"","headers":[1],"properties":{"delivery_tag":"t"}})"}) {
        const auto got = read_envelope(element);
        REQUIRE(got);
        CHECK(got->head.tag == "t");
        CHECK(got->headers.empty());
    }
}

TEST_CASE("What is not kombu's is refused") {
    for (const auto* none : {"",
                             "   ",
                             "null",
                             "7",
                             "\"text\"",
                             "[]",
                             "[1]",
                             "{}",
                             "{\"body\":\"x\"}",
                             "{\"body\":7,\"properties\":{\"delivery_tag\":\"t\"}}",
                             "{\"properties\":{\"delivery_tag\":\"t\"}}",
                             "{\"body\":\"\",\"properties\":{}}",
                             "{\"body\":\"\",\"properties\":{\"delivery_tag\":7}}",
                             "{\"body\":\"\",\"properties\":[\"delivery_tag\"]}",
                             "{\"body\":\"",
                             "{\"body\":\"\",\"properties\":{\"delivery_tag\":\"t\" oops}}",
                             "{\"body\":\"\",\"properties\":{\"delivery_tag\":\"t\"} oops}",
                             "rq:job:1",
                             "\x80\x04\x95",
                             "[{\"body\":\"\",\"properties\":{\"delivery_tag\":\"t\"}}]"})
        CHECK_FALSE(read_envelope(none));
}

TEST_CASE("Deep nesting is passed over") {
    const std::string deep = std::string(100000, '[') + std::string(100000, ']');
    const auto got =
        read_envelope(R"({"body":"","headers":{"deep":)" + deep + R"(},"properties":{"delivery_tag":"t"}})");
    CHECK((!got || got->head.tag == "t"));
}

TEST_CASE("A value of unacked is a message and where it went") {
    const std::string value = "[" + tests::add_message() + R"(, "ex", "rk"])";
    const auto got = read_unacked(value);
    REQUIRE(got);
    CHECK(got->message.head.tag == "tag-1");
    CHECK(got->element == tests::add_message());
    CHECK(got->exchange == "ex");
    CHECK(got->routing_key == "rk");
    CHECK(got->message.body.data() > value.data());
    for (const auto* none : {"", "[]", "[{}]", "[{}, \"\", \"\"]", "{}"}) CHECK_FALSE(read_unacked(none));
}

TEST_CASE("A member's JSON text") {
    CHECK(member(R"({"a": [1, 2] , "b": {"c": 3}, "d": "x", "e": 1.50 })", "a") == "[1, 2]");
    CHECK(member(R"({"a": [1, 2] , "b": {"c": 3}, "d": "x"})", "b") == R"({"c": 3})");
    CHECK(member(R"({"a": 1, "d": "x" })", "d") == R"("x")");
    CHECK(member(R"({"a": 1.50 })", "a") == "1.50");
    CHECK(member(R"({"a": 1.50 })", "b").empty());
    CHECK(member("7", "b").empty());
}

TEST_CASE("A head can be read without its body") {
    const auto alone = read_head(R"({"headers":{"task":"x"},"properties":{"delivery_tag":"t"}})");
    REQUIRE(alone);
    CHECK(alone->task == "x");
    REQUIRE(read_head(R"([{"properties":{"delivery_tag":"t"}}, "", "q"])"));
    CHECK_FALSE(read_head(R"([])"));
}
