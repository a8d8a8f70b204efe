#include "broker/glance.hpp"

#include "tests/broker/messages.hpp"

using namespace broker;

namespace {

std::optional<glance_result> glance_tail(const std::string& message) {
    const auto tail = std::string_view(message).substr(message.size() - glance_tail_bytes);
    return glance(tail, message.size());
}

}  // namespace

TEST_CASE("A whole message is read as it is") {
    const auto got = glance(tests::add_message());
    REQUIRE(got);
    CHECK(got->of == glimpse::whole);
    CHECK(got->head.tag == "tag-1");
    CHECK(got->head.task == "proj.add");
}

TEST_CASE("The end of a long message tells who it is") {
    const auto got = glance_tail(tests::message(std::string(100000, 'A')));
    REQUIRE(got);
    CHECK(got->of == glimpse::whole);
    CHECK(got->head.task == "proj.add");
    CHECK(got->head.id == "id-1");
    CHECK(got->head.tag == "tag-1");
    CHECK(got->head.priority == 6);
}

TEST_CASE("So does the end of a value of unacked") {
    const auto got = glance_tail("[" + tests::message(std::string(100000, 'A')) + R"(, "", "a}queue"])");
    REQUIRE(got);
    CHECK(got->of == glimpse::whole);
    CHECK(got->head.task == "proj.add");
    CHECK(got->head.tag == "tag-1");
}

TEST_CASE("An inline body with quotes does not mislead") {
    std::string body;
    while (body.size() < 40000)
        body += R"(\", \"content-type\": \"x\", \"properties\": {\"delivery_tag\": \"wrong\"}, \\)";
    const auto got = glance_tail(tests::message(body + "\\\\"));
    REQUIRE(got);
    CHECK(got->head.tag == "tag-1");
    CHECK(got->head.task == "proj.add");
}

TEST_CASE("Headers longer than the tail leave the properties") {
    const std::string headers =
        R"({"task": "proj.add", "argsrepr": ")" + std::string(20000, 'x') + R"(", "id": "i"})";
    const auto got = glance_tail(tests::message("AAAA", headers));
    REQUIRE(got);
    CHECK(got->of == glimpse::properties_only);
    CHECK(got->head.task.empty());
    CHECK(got->head.tag == "tag-1");
    CHECK(got->head.routing_key == "celery");
    CHECK(got->head.id == "id-1");
}

TEST_CASE("Other producers put their members in another order") {
    const std::string message =
        R"({"body":")" + std::string(30000, 'A') +
        R"(","headers":{"task":"go.task","id":"g"},"content-type":"application/json",)"
        R"("properties":{"delivery_tag":"t"},"content-encoding":"utf-8"})";
    const auto got = glance_tail(message);
    REQUIRE(got);
    CHECK(got->head.task == "go.task");
    CHECK(got->head.tag == "t");
}

TEST_CASE("What is not kombu's has no head") {
    CHECK_FALSE(glance("plain"));
    CHECK_FALSE(glance(""));
    CHECK_FALSE(glance(std::string(9000, 'x'), 20000));
    CHECK_FALSE(glance(std::string(9000, '"'), 20000));
    CHECK_FALSE(glance("\"properties\"", 20000));
}
