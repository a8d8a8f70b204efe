#include "broker/rule_book.hpp"

#include <catch2/catch.hpp>

#include "recording_redis.hpp"

using namespace broker;
using command = redis_command;

namespace {

const std::string hash = "__sidecar:br:rules";
const std::string version = "__sidecar:br:rules_version";

resp::value scanned(const std::string& cursor, const std::vector<std::string>& pairs) {
    return array({bulk(cursor), texts(pairs)});
}

}  // namespace

TEST_CASE("rule_book writes a rule with its version, and it holds at once", "[rule_book]") {
    recording_redis redis;
    redis.answers["HSET"] = {number(1)};
    rule_book book(redis);
    rule slow;
    slow.per_second = 2.5;
    slow.by = "operator";
    slow.at = 12.5;
    CHECK(book.set(rule_kind::rate, "p:celery", slow).empty());
    REQUIRE(redis.sent.size() == 3);
    CHECK(redis.sent[0] == command{"HSET", hash, "rate:p:celery", text_of(slow)});
    CHECK(redis.sent[1] == command{"SETNX", version, "12500"});
    CHECK(redis.sent[2] == command{"INCR", version});
    REQUIRE(book.find(rule_kind::rate, "p:celery") != nullptr);
    CHECK(*book.find(rule_kind::rate, "p:celery") == slow);
    CHECK(book.find(rule_kind::pause, "p:celery") == nullptr);
}

TEST_CASE("rule_book keeps nothing that Redis has not taken", "[rule_book]") {
    recording_redis redis;
    redis.answers["HSET"] = {error("READONLY")};
    redis.answers["HDEL"] = {error("READONLY")};
    rule_book book(redis);
    CHECK(book.set(rule_kind::pause, "q", {}) == "READONLY");
    CHECK(book.size() == 0);
    book.note(rule_kind::pause, "q", {});
    CHECK(book.clear(rule_kind::pause, "q") == "READONLY");
    CHECK(book.find(rule_kind::pause, "q") != nullptr);
}

TEST_CASE("rule_book reads all parts of the hash when its version is another, else nothing", "[rule_book]") {
    recording_redis redis;
    rule mark;
    mark.list = "celery";
    mark.target = "aside";
    redis.answers["GET"] = {bulk("1"), bulk("1"), bulk("2")};
    redis.answers["HSCAN"] = {scanned("7", {"pause:a:b", "{}", "of no kind:x", "{}", "hold:t", "not JSON"}),
                              scanned("0", {"mark:tag-1", text_of(mark)}), scanned("0", {})};
    rule_book book(redis);
    CHECK(book.refresh());
    CHECK(redis.last("HSCAN")->at(2) == "7");
    CHECK(book.size() == 2);
    CHECK(book.find(rule_kind::pause, "a:b") != nullptr);
    CHECK(*book.find(rule_kind::mark, "tag-1") == mark);
    CHECK(book.marked_in("celery") == 1);
    CHECK_FALSE(book.refresh());
    CHECK(redis.count("HSCAN") == 2);
    CHECK(book.refresh());
    CHECK(book.size() == 0);
    CHECK(book.marked_in("celery") == 0);
}

TEST_CASE("rule_book keeps what it knows while Redis is away", "[rule_book]") {
    recording_redis redis;
    redis.answers["GET"] = {error(std::string(redis_gone))};
    rule_book book(redis);
    book.note(rule_kind::pause, "q", {});
    CHECK_FALSE(book.refresh());
    CHECK(book.size() == 1);
}

TEST_CASE("rule_book counts marks by list, also when one is replaced", "[rule_book]") {
    recording_redis redis;
    rule_book book(redis);
    rule mark;
    mark.list = "a";
    book.note(rule_kind::mark, "t", mark);
    mark.list = "b";
    book.note(rule_kind::mark, "t", mark);
    CHECK(book.marked_in("a") == 0);
    CHECK(book.marked_in("b") == 1);
    CHECK(book.clear(rule_kind::mark, "t").empty());
    CHECK(book.marked_in("b") == 0);
}

TEST_CASE("rule_book clears rules whose time is over", "[rule_book]") {
    recording_redis redis;
    rule_book book(redis);
    rule until;
    until.expires = 100;
    book.note(rule_kind::revoke, "id", until);
    book.note(rule_kind::revoke, "for ever", {});
    book.expire(99);
    CHECK(book.size() == 2);
    book.expire(100);
    CHECK(redis.last("HDEL")->at(2) == "revoke:id");
    CHECK(book.find(rule_kind::revoke, "id") == nullptr);
    CHECK(book.size() == 1);
}

TEST_CASE("rule_kind_of and name_of are inverse", "[rule_book]") {
    for (std::size_t i = 0; i < rule_kinds; ++i) {
        const auto kind = static_cast<rule_kind>(i);
        CHECK(rule_kind_of(name_of(kind)) == kind);
    }
    CHECK_FALSE(rule_kind_of("pauses"));
}
