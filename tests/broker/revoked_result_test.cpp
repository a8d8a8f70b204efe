#include "broker/revoked_result.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "broker/decode.hpp"

using namespace broker;

namespace {

message_head head_of(std::string_view content_type) {
    message_head head;
    head.id = "task-1";
    head.group_id = "group-1";
    head.content_type = content_type;
    return head;
}

}  // namespace

TEST_CASE("a revoked task's result is what Celery writes, in the message's serializer", "[broker]") {
    const std::string_view content_type =
        GENERATE(as<std::string_view>(), "application/json", "application/x-yaml",
                 "application/x-python-serialize", "application/x-msgpack");
    CAPTURE(content_type);
    const auto result = revoked_result(head_of(content_type), 1'700'000'000'000'001);
    REQUIRE(result);
    CHECK(result->key == "celery-task-meta-task-1");
    const auto read = read_content(result->value, content_type, "utf-8", {});
    REQUIRE(read.error.empty());
    CHECK(read.value == boost::json::parse(R"({"status":"REVOKED","result":{"exc_type":"TaskRevokedError",
        "exc_message":["revoked"],"exc_module":"celery.exceptions"},"traceback":null,"children":[],
        "date_done":"2023-11-14T22:13:20.000001+00:00","group_id":"group-1","task_id":"task-1"})"));
}

TEST_CASE("nothing is written where nobody would read it", "[broker]") {
    auto head = head_of("application/json");
    head.ignore_result = true;
    CHECK_FALSE(revoked_result(head, 0));
    head = head_of("text/plain");
    CHECK_FALSE(revoked_result(head, 0));
    head = head_of("application/json");
    head.id.clear();
    CHECK_FALSE(revoked_result(head, 0));
}
