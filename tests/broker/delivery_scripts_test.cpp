#include "broker/delivery_scripts.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "resp/command_scanner.hpp"

using namespace broker;

namespace {

// EVAL's keys and arguments, in one row.
std::vector<std::string> behind_script(const std::string& bytes) {
    resp::command_scanner scanner;
    resp::scanned_command found;
    REQUIRE(scanner.scan(bytes, resp::peer_trust::known, found) == resp::scan_status::command);
    REQUIRE(found.args[0] == "EVAL");
    return {found.args.begin() + 2, found.args.end()};
}

using words = std::vector<std::string>;

}  // namespace

TEST_CASE("a message goes to its list by the end that is named", "[broker][delivery_scripts]") {
    placing what;
    what.list = "celery";
    what.message = "m";
    what.token = "t";
    CHECK(behind_script(place_command(what)) == words{"5", "t", "__sidecar:br:reserved", "celery",
                                                      "__sidecar:br:marks", "__sidecar:br:paced_tasks", "m",
                                                      "RPUSH", "", "", ""});
    what.end = push_end::left;
    what.forget_mark = "tag";
    what.reserved = "r:1";
    CHECK(behind_script(place_command(what))[7] == "LPUSH");
    CHECK(behind_script(place_command(what))[8] == "r:1");
    CHECK(behind_script(place_command(what))[9] == "tag");
}

TEST_CASE("a message goes back only with the hashes it may have been noted in",
          "[broker][delivery_scripts]") {
    placing what;
    what.list = "celery";
    what.message = "m";
    what.token = "t";
    what.tag = "tag";
    what.unless_noted_in = {"unacked", "p:unacked"};
    CHECK(behind_script(place_command(what)) == words{"7", "t", "__sidecar:br:reserved", "celery",
                                                      "__sidecar:br:marks", "__sidecar:br:paced_tasks",
                                                      "unacked", "p:unacked", "m", "RPUSH", "", "tag", ""});
}

TEST_CASE("the trash keeps list, queue and an end in milliseconds", "[broker][delivery_scripts]") {
    trashing what;
    what.id = "id";
    what.list =
        "celery\x06\x16"
        "3";
    what.message = "m";
    what.why = "revoked: id";
    what.now_s = 10;
    what.expires_s = 70;
    CHECK(behind_script(trash_command(what)) == words{"4", "__sidecar:br:trash", "__sidecar:br:trash_index",
                                                      "__sidecar:br:marks", "__sidecar:br:reserved", "id",
                                                      "celery\x06\x16"
                                                      "3",
                                                      "m", "revoked: id", "", "", "10", "70000", "celery",
                                                      ""});
    what.result_key = "celery-task-meta-1";
    what.result = "{}";
    const words with_result = behind_script(trash_command(what));
    CHECK(with_result[0] == "5");
    CHECK(with_result[5] == "celery-task-meta-1");
    CHECK(with_result.back() == "{}");
}

TEST_CASE("a reserving pop names its lists, its end and itself", "[broker][delivery_scripts]") {
    const std::vector<std::string> lists{"a", "b"};
    CHECK(behind_script(reserve_command(lists, push_end::right, "run:7")) ==
          words{"3", "__sidecar:br:reserved", "a", "b", "run:7", "RPOP"});
    CHECK(behind_script(restore_reserved_command("run", std::vector<std::string>{"unacked"})) ==
          words{"2", "__sidecar:br:reserved", "unacked", "run"});
}

TEST_CASE("paced tasks are released by their budgets", "[broker][delivery_scripts]") {
    const std::vector<std::pair<std::string, std::int64_t>> budgets{{"proj.add", 3}};
    CHECK(behind_script(release_paced_command(budgets)) ==
          words{"1", "__sidecar:br:paced_tasks", "proj.add", "3"});
}
