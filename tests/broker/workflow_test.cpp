#include "broker/workflow.hpp"

#include "tests/broker/golden.hpp"

#include <boost/json/serialize.hpp>

using namespace broker;
namespace json = boost::json;

namespace {

workflow flow_of(const std::string& release, const std::string& name) {
    return read_workflow(decode(tests::golden(release, name)));
}

}  // namespace

TEST_CASE("The rest of a chain, in the order it will run") {
    for (const auto& release : tests::golden_releases)
        for (const auto* name : {"chain", "chain-pickle"}) {
            const auto flow = flow_of(release, name);
            REQUIRE(flow.chain.size() == 2);
            CHECK(json::serialize(flow.chain[0].args) == "[2]");
            CHECK(flow.chain[0].task == "proj.work");
            CHECK(flow.chain[0].immutable);
            CHECK(json::serialize(flow.chain[1].args) == "[3]");
            CHECK(flow.chain[1].id.size() == 36);
            CHECK_FALSE(flow.empty());
            if (std::string_view(name) == "chain") CHECK(flow.chain[0].queue == "later");
        }
}

TEST_CASE("Callbacks, errbacks, chords and groups") {
    for (const auto& release : tests::golden_releases) {
        const auto back = flow_of(release, "callbacks");
        REQUIRE(back.callbacks.size() == 1);
        REQUIRE(back.errbacks.size() == 1);
        CHECK(json::serialize(back.errbacks[0].args) == R"(["failed"])");
        const auto member = flow_of(release, "chord-member");
        REQUIRE(member.chord);
        CHECK(member.chord->task == "proj.work");
        CHECK(json::serialize(member.chord->args) == R"(["body"])");
        CHECK(member.group_id.size() == 36);
        CHECK(member.group_index == 0);
        const auto part = flow_of(release, "group-member");
        CHECK(part.group_id.size() == 36);
        CHECK_FALSE(part.chord);
        CHECK(json::serialize(as_json(member)).find(R"("chord":{"task":"proj.work")") != std::string::npos);
    }
}

TEST_CASE("A task alone is no workflow") {
    CHECK(flow_of("celery-5.7", "v1-json").empty());
    CHECK(read_workflow(decode("garbage")).empty());
}

TEST_CASE("A composite shows its parts") {
    decoded_message message;
    message.embed = json::object{
        {"chain",
         {{{"task", "celery.group"},
           {"subtask_type", "group"},
           {"kwargs", {{"tasks", {{{"task", "a"}, {"args", {1}}}, {{"task", "b"}, {"args", {2}}}}}}}}}}};
    const auto flow = read_workflow(message);
    REQUIRE(flow.chain.size() == 1);
    REQUIRE(flow.chain[0].parts.size() == 2);
    CHECK(flow.chain[0].parts[1].task == "b");
}

TEST_CASE("Results of the Redis backend") {
    const auto done = read_task_result(
        R"({"status": "SUCCESS", "result": 5, "traceback": null, "children": [], "date_done": "2026",)"
        R"( "task_id": "t"})");
    REQUIRE(done);
    CHECK(done->state == "SUCCESS");
    CHECK(done->id == "t");
    CHECK(done->fields.at("result") == 5);
    CHECK_FALSE(read_task_result("{}"));
    CHECK_FALSE(read_task_result(""));
    const auto part = read_group_result(R"([1, "id", "FAILURE", {"exc_type": "ValueError"}])");
    REQUIRE(part);
    CHECK(part->id == "id");
    CHECK(part->state == "FAILURE");
    CHECK_FALSE(read_group_result("[1]"));
}
