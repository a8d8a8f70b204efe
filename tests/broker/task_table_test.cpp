#include "broker/task_table.hpp"

#include <boost/json/parse.hpp>

#include "catch2/catch.hpp"

using namespace broker;

namespace {

struct teller {
    task_table table{3};

    void tell(const std::string& type, const std::string& fields) {
        const auto parsed = boost::json::parse(R"({"uuid":"a","hostname":"w@h")" + fields + "}");
        table.on_event({2, ""}, type, parsed.as_object(), 1);
    }
    task_state state() { return table.find("a")->state; }
};

}  // namespace

TEST_CASE("task_table stands a retry whose events overtake each other", "[broker][task_table]") {
    teller of;
    of.tell("task-started", R"(,"timestamp":1)");
    of.tell("task-received", R"(,"name":"n","retries":1,"timestamp":2)");
    CHECK(of.state() == task_state::received);
    of.tell("task-started", R"(,"timestamp":3)");
    of.tell("task-retried", R"j(,"exception":"E()","timestamp":1.5)j");
    CHECK(of.state() == task_state::started);
    of.tell("task-sent", R"(,"retries":1,"queue":"q","timestamp":0.5)");
    CHECK(of.state() == task_state::started);
    of.tell("task-failed", R"j(,"exception":"E('x')","timestamp":4)j");
    of.tell("task-started", R"(,"timestamp":3)");
    CHECK(of.state() == task_state::failed);
    CHECK(of.table.find("a")->queue == "q");
    CHECK(of.table.find("a")->retries == 1);
}

TEST_CASE("task_table forgets the least recently changed, and cuts long texts", "[broker][task_table]") {
    task_table table(2);
    table.touch({2, ""}, "a", 1);
    table.touch({2, ""}, "b", 2);
    table.touch({2, ""}, "a", 3);
    table.touch({2, ""}, "c", 4);
    CHECK(table.find("b") == nullptr);
    CHECK(table.forgotten() == 1);
    CHECK(table.recent(10, {}).front().id == "c");
    boost::json::object fields{{"uuid", "c"}, {"result", std::string(10'000, 'x')}};
    table.on_event({2, ""}, "task-succeeded", fields, 5);
    CHECK(table.find("c")->result.size() < 2'100);
    fields["uuid"] = 7;
    CHECK(table.on_event({2, ""}, "task-succeeded", fields, 5) == nullptr);
}
