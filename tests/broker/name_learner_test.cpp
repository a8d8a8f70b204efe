#include "broker/name_learner.hpp"

#include "catch2/catch.hpp"

using namespace broker;

namespace {
using keys = std::vector<std::string_view>;
}

TEST_CASE("name_learner reads kombu's own names without having learnt anything", "[broker][name_learner]") {
    const name_learner names;
    const list_name name = names.list_of(2,
                                         "celery\x06\x16"
                                         "6");
    CHECK(name.queue == "celery");
    CHECK(name.priority == 6);
    CHECK(names.list_of(2, "jobs:3").queue == "jobs:3");
    CHECK(names.namings({2, ""}) == std::vector<naming>{naming{}});
    CHECK(names.unacked_key({2, "p:"}) == "p:unacked");
    CHECK(names.index_key({2, "p:"}) == "p:unacked_index");
}

TEST_CASE("name_learner takes a suffix for a priority only where the queue was popped so",
          "[broker][name_learner]") {
    name_learner names;
    CHECK(names.saw_pop(2, keys{"a", "b", "a:1", "b:1", "a:2", "b:2"}));
    CHECK_FALSE(names.saw_pop(2, keys{"b", "a", "b:1", "a:1", "b:2", "a:2"}));
    CHECK(names.list_of(2, "b:2").queue == "b");
    CHECK(names.list_of(2, "b:2").priority == 2);
    CHECK(names.list_of(2, "b:7").queue == "b:7");
    CHECK(names.list_of(2, "c:2").queue == "c:2");
    CHECK(names.list_of(3, "b:2").queue == "b:2");
}

TEST_CASE("name_learner learns prefixes from bindings and Celery's channels, the longest counts",
          "[broker][name_learner]") {
    name_learner names;
    CHECK(names.saw_binding(2, "app:_kombu.binding.celery"));
    CHECK_FALSE(names.saw_binding(2, "app:_kombu.binding.other"));
    CHECK(names.saw_channel(2, "app:two:/2.celeryev/worker.heartbeat"));
    CHECK_FALSE(names.saw_channel(2, "chat:/2.room"));
    CHECK(names.broker_of(2, "app:celery").prefix == "app:");
    CHECK(names.broker_of(2, "app:two:celery").prefix == "app:two:");
    CHECK(names.broker_of(2, "celery").prefix.empty());
    CHECK(names
              .list_of(2,
                       "app:two:q\x06\x16"
                       "3")
              .queue == "q");
}

TEST_CASE("name_learner learns what stands before the keys of results", "[broker][name_learner]") {
    name_learner names;
    CHECK(names.saw_result(2, "x_celery-task-meta-0f3a"));
    CHECK_FALSE(names.saw_result(2, "x_celery-task-meta-0f3b"));
    CHECK_FALSE(names.saw_result(2, "celery-task-meta-0f3b"));
    CHECK_FALSE(names.saw_result(2, "news"));
    CHECK(names.saw_result(2, "y:celery-taskset-meta-0f3b"));
    CHECK(names.result_prefixes(2) == std::vector<std::string>{"x_", "y:"});
    CHECK(names.result_prefixes(1).empty());
    for (int i = 0; i < 100; ++i) names.saw_result(2, std::to_string(i) + "celery-task-meta-1");
    CHECK(names.result_prefixes(2).size() == 50);
    CHECK(names.result_prefixes_refused() == 52);
}
