#include "broker/delivery_rules.hpp"

#include <catch2/catch.hpp>

using namespace broker;

namespace {

message_head head_of(std::string tag, std::string id, std::string task) {
    message_head head;
    head.tag = std::move(tag);
    head.id = std::move(id);
    head.task = std::move(task);
    return head;
}

}  // namespace

TEST_CASE("a list belongs to its queue, whatever its priority", "[broker][delivery_rules]") {
    CHECK(queue_of_list("celery") == "celery");
    CHECK(queue_of_list("celery\x06\x16"
                        "3") == "celery");
    CHECK(queue_of_list("p:a\x06\x16"
                        "b\x06\x16"
                        "9") ==
          "p:a\x06\x16"
          "b");
    CHECK(queue_of_list("celery\x06\x16") == "celery\x06\x16");
    CHECK(queue_of_list("celery\x06\x16x") == "celery\x06\x16x");
    db_rules::names paused{"celery", "other:3"};
    CHECK(find_queue(paused,
                     "celery\x06\x16"
                     "6") != paused.end());
    CHECK(find_queue(paused, "other:3") != paused.end());
    CHECK(find_queue(paused, "other") == paused.end());
}

TEST_CASE("what no rule names is delivered", "[broker][delivery_rules]") {
    CHECK(judge({}, head_of("t", "i", "proj.add")).what == fate::deliver);
    CHECK(db_rules{}.empty());
    CHECK_FALSE(db_rules{}.looks_inside());
    delivery_rules none;
    none.by_db[2] = {};
    CHECK(none.of(2) == nullptr);
    CHECK(none.of(0) == nullptr);
}

TEST_CASE("a message is revoked by id, by task or by stamp", "[broker][delivery_rules]") {
    db_rules rules;
    rules.revoked_ids = {"i1"};
    rules.revoked_tasks = {"proj.bad"};
    rules.revoked_stamps = {{"batch", "7"}};
    CHECK(rules.looks_inside());
    CHECK(judge(rules, head_of("t", "i1", "x")).reason == "id");
    CHECK(judge(rules, head_of("t", "i2", "proj.bad")).reason == "task");
    message_head stamped = head_of("t", "i2", "x");
    stamped.stamps = {{"batch", {"6", "7"}}};
    CHECK(judge(rules, stamped).reason == "stamp");
    stamped.stamps = {{"batch", {"8"}}, {"other", {"7"}}};
    CHECK(judge(rules, stamped).what == fate::deliver);
}

TEST_CASE("a mark comes before all else, a held task last", "[broker][delivery_rules]") {
    db_rules rules;
    rules.held_tasks = {"proj.add"};
    rules.revoked_ids = {"i"};
    rules.marks["t1"] = {delivery_mark::action::moved, "elsewhere"};
    rules.marks["t2"] = {delivery_mark::action::deleted, {}};
    CHECK(judge(rules, head_of("t1", "i", "proj.add")).what == fate::moved);
    CHECK(judge(rules, head_of("t1", "i", "proj.add")).reason == "elsewhere");
    CHECK(judge(rules, head_of("t2", "i", "proj.add")).what == fate::deleted);
    CHECK(judge(rules, head_of("t3", "i", "proj.add")).what == fate::revoked);
    CHECK(judge(rules, head_of("t3", "j", "proj.add")).what == fate::held);
}
