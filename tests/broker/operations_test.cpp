#include "broker/operations.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "broker/scripts.hpp"
#include "recording_redis.hpp"

using namespace broker;
namespace json = boost::json;

namespace {

const change_author author{"operator", "because", 1'700'000'000'500'000};

listed_message waiting() {
    listed_message message;
    message.element = R"({"body":"é"})";
    message.size = message.element.size();
    message.tag = "t\xff";  // any bytes
    message.key = "celery";
    message.queue = "celery";
    message.position = 3;
    return message;
}

struct stage {
    recording_redis redis;
    int ids = 0;
    operations work{redis, [this] { return "id" + std::to_string(++ids); }};

    // The script that was run, its keys and its arguments.
    [[nodiscard]] std::string script() const { return redis.last("EVAL")->at(1); }
    [[nodiscard]] std::string key(std::size_t i) const { return redis.last("EVAL")->at(3 + i); }
    [[nodiscard]] std::string argument(std::size_t i) const {
        const auto& sent = *redis.last("EVAL");
        return sent.at(3 + static_cast<std::size_t>(std::stoi(sent[2])) + i);
    }
    [[nodiscard]] std::size_t arguments() const {
        const auto& sent = *redis.last("EVAL");
        return sent.size() - 3 - static_cast<std::size_t>(std::stoi(sent[2]));
    }
};

json::object object_of(const std::string& text) {
    return json::parse(text).as_object();
}

}  // namespace

TEST_CASE("operations remove a message into the trash with an entry of the audit", "[operations]") {
    stage at;
    at.redis.answers["EVAL"] = {array({number(1), number(3)})};
    const auto done = at.work.remove(waiting(), author);
    CHECK(done.outcome == change_outcome::done);
    CHECK(done.undo == "id1");
    CHECK(at.script() == scripts::take);
    CHECK(at.key(0) == "celery");
    CHECK(at.key(2) == "__sidecar:br:trash");
    CHECK(at.argument(0) == waiting().element);
    CHECK(at.argument(1) == "3");
    CHECK(at.argument(4).empty());  // nothing is pushed
    CHECK(at.argument(8) == std::to_string(1'700'000'000'500 + 86'400'000));
    const auto kept = at.argument(7);
    CHECK(kept.substr(kept.find('\n') + 1) == waiting().element);
    CHECK(object_of(kept.substr(0, kept.find('\n'))).at("tag") == "t\xc3\xbf");
    const auto entry = object_of(at.argument(at.arguments() - 1));
    CHECK(entry.at("action") == "delete");
    CHECK(entry.at("by") == "operator");
    CHECK(entry.at("reason") == "because");
    CHECK(entry.at("at").as_double() == 1'700'000'000.5);
}

TEST_CASE("operations tell what kept them from it", "[operations]") {
    stage at;
    at.redis.answers["EVAL"] = {array({number(0)}), array({number(2), number(60'000)}), error("OOM")};
    CHECK(at.work.remove(waiting(), author).outcome == change_outcome::gone);
    CHECK(at.work.remove(waiting(), author).outcome == change_outcome::too_deep);
    const auto failed = at.work.remove(waiting(), author);
    CHECK(failed.outcome == change_outcome::failed);
    CHECK(failed.error == "OOM");
    at.redis.answers["HLEN"] = {number(100'000)};
    CHECK(at.work.remove(waiting(), author).error.find("trash is full") != std::string::npos);
    CHECK(at.redis.count("EVAL") == 3);
}

TEST_CASE("operations push what replaces a message in the same step", "[operations]") {
    stage at;
    at.redis.answers["EVAL"] = {array({number(1), number(3)})};
    const auto done = at.work.replace(waiting(), "other", "aside", queue_end::head, "move", author);
    CHECK(done.outcome == change_outcome::done);
    CHECK(done.undo.empty());
    CHECK(at.key(1) == "aside");
    CHECK(at.argument(4) == "other");
    CHECK(at.argument(5) == "head");
    CHECK(at.argument(6).empty());  // not in the trash
}

TEST_CASE("operations mark what lies deep with the rule as the book writes it", "[operations]") {
    stage at;
    at.redis.answers["EVAL"] = {array({number(1), number(50'000)}), array({number(0)})};
    const auto marked = at.work.mark(waiting(), "mark:t", "{}", true, "delete", author);
    CHECK(marked.outcome == change_outcome::marked);
    CHECK(at.script() == scripts::mark);
    CHECK(at.argument(5) == "mark:t");
    CHECK(at.argument(6) == "{}");
    CHECK(at.work.mark(waiting(), "mark:t", "{}", true, "delete", author).outcome == change_outcome::gone);
}

TEST_CASE("operations purge all lists of a queue, or none when the count is another", "[operations]") {
    stage at;
    at.redis.answers["EVAL"] = {array({number(1), number(7)}), array({number(0), number(9)}),
                                array({number(1), number(0)})};
    const broker_layout layout;
    const auto done = at.work.purge(layout, "q", 7, 0, true, author);
    CHECK(done.outcome == change_outcome::done);
    CHECK(done.count == 7);
    CHECK(done.undo == "id1");
    CHECK(at.key(0) == "q");
    CHECK(at.key(4) == "__sidecar:br:trash:id1:0");
    CHECK(at.argument(0) == "4");
    CHECK(at.argument(1) == "7");
    CHECK(at.argument(3) == "keep");
    const auto other = at.work.purge(layout, "q", 7, 0, false, author);
    CHECK(other.outcome == change_outcome::count_differs);
    CHECK(other.count == 9);
    CHECK(at.argument(3) == "drop");
    CHECK(at.work.purge(layout, "q", 0, 0, true, author).undo.empty());
}

TEST_CASE("operations settle an unacknowledged message only as it was shown", "[operations]") {
    stage at;
    at.redis.answers["EVAL"] = {number(1), number(0)};
    const broker_layout layout;
    CHECK(at.work.restore_unacked(layout, {"t", "value"}, "element", "celery", author).outcome ==
          change_outcome::done);
    CHECK(at.script() == scripts::settle);
    CHECK(at.key(0) == "unacked");
    CHECK(at.key(2) == "celery");
    CHECK(at.argument(1) == "value");
    CHECK(at.argument(2) == "element");
    CHECK(at.argument(3) == "head");
    CHECK(at.work.remove_unacked(layout, {"t", "value"}, "element", "celery", author).outcome ==
          change_outcome::gone);
    CHECK(at.argument(2).empty());  // it goes to the trash alone
}

TEST_CASE("operations undo a delete from what the trash holds, byte for byte", "[operations]") {
    stage at;
    at.redis.answers["EVAL"] = {array({number(1), number(3)}), number(1)};
    (void)at.work.remove(waiting(), author);
    const std::string kept = at.argument(7);
    at.redis.answers["HGET"] = {bulk(kept), resp::value{}};
    CHECK(at.work.undo("id1", author).outcome == change_outcome::done);
    CHECK(at.script() == scripts::untrash);
    CHECK(at.key(2) == "celery");
    CHECK(at.argument(1) == kept);
    CHECK(at.argument(2) == waiting().element);
    CHECK(at.work.undo("id1", author).outcome == change_outcome::gone);
}

TEST_CASE("operations undo a purge list by list, a piece at a time", "[operations]") {
    stage at;
    at.redis.answers["HGET"] = {bulk(R"({"kind":"purge","lists":["a","b"]})")};
    at.redis.answers["LLEN"] = {number(1'500), number(2)};
    at.redis.answers["EVAL"] = {number(500), number(0)};
    const auto done = at.work.undo("id9", author);
    CHECK(done.outcome == change_outcome::done);
    CHECK(done.count == 1'502);
    CHECK(at.redis.count("EVAL") == 3);
    CHECK(at.key(0) == "__sidecar:br:trash:id9:1");
    CHECK(at.key(1) == "b");
    CHECK(at.redis.last("HDEL")->at(2) == "id9");
}

TEST_CASE("operations unlink the lists of a purge whose time in the trash is over", "[operations]") {
    stage at;
    at.redis.answers["ZRANGEBYSCORE"] = {texts({"old"})};
    at.redis.answers["HGET"] = {bulk(R"({"kind":"purge","lists":["a"]})")};
    at.work.expire_trash(1'000'000);
    CHECK(at.redis.last("ZRANGEBYSCORE")->at(3) == "1000");
    CHECK(*at.redis.last("UNLINK") == redis_command{"UNLINK", "__sidecar:br:trash:old:0"});
    CHECK(at.redis.last("ZREM")->at(2) == "old");
}

TEST_CASE("operations read the audit and the trash back, and skip what is not theirs", "[operations]") {
    stage at;
    at.redis.answers["XREVRANGE"] = {
        array({array({bulk("2-0"), texts({"entry", R"({"action":"pause"})"})}),
               array({bulk("1-0"), texts({"entry", "not JSON"})}), bulk("garbage")})};
    at.redis.answers["ZREVRANGE"] = {texts({"a", "b"})};
    at.redis.answers["HGET"] = {bulk("{\"kind\":\"message\"}\nthe\nelement"), bulk("garbage")};
    std::string error;
    const auto entries = at.work.audit_entries("3-0", 10, error);
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].id == "2-0");
    CHECK(at.redis.last("XREVRANGE")->at(2) == "(3-0");
    const auto kept = at.work.trash(0, 10, error);
    REQUIRE(kept.size() == 1);
    CHECK(kept[0].element == "the\nelement");
    CHECK(error.empty());
}
