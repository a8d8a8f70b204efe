#include "broker/traffic.hpp"

#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>
#include <vector>

using namespace broker;

namespace {

struct told {
    wire_kind kind;
    std::string key;
    std::string text;
    std::string extra;
    bool operator==(const told&) const = default;
};

std::ostream& operator<<(std::ostream& out, const told& t) {
    return out << static_cast<int>(t.kind) << ' ' << t.key << ' ' << t.text << ' ' << t.extra;
}

std::vector<told> notes_of(std::initializer_list<std::string_view> words) {
    const std::vector<std::string_view> args(words);
    std::string batch;
    wire_note about;
    about.db = 2;
    about.client = 7;
    about.at_us = 11;
    append_notes(batch, traffic_of(args[0]), args, about);
    std::vector<told> notes;
    note_reader reader(batch);
    for (wire_note n; reader.next(n);) {
        CHECK((n.db == 2 && n.client == 7 && n.at_us == 11));
        notes.push_back({n.kind, std::string(n.key), std::string(n.text), std::string(n.extra)});
    }
    return notes;
}

using list = std::vector<told>;

}  // namespace

TEST_CASE("each message of a push is a note", "[broker][traffic]") {
    CHECK(notes_of({"lpush", "celery", "a", "b"}) ==
          list{{wire_kind::pushed, "celery", "a", "left"}, {wire_kind::pushed, "celery", "b", "left"}});
    CHECK(notes_of({"rpush", "celery", "a"}) == list{{wire_kind::pushed, "celery", "a", "right"}});
}

TEST_CASE("a delivery is noted in the hash of kombu or in one that looks like it", "[broker][traffic]") {
    const std::string value = R"([{"body": ""}, "", "celery"])";
    CHECK(notes_of({"hset", "p:unacked", "tag", "x"}) == list{{wire_kind::noted, "p:unacked", "tag", "x"}});
    CHECK(notes_of({"hset", "taken", "tag", value}) == list{{wire_kind::noted, "taken", "tag", value}});
    CHECK(notes_of({"hset", "user:1", "name", "x"}).empty());
    CHECK(notes_of({"hset", "unacked", "a", "b", "c", "d"}).empty());
}

TEST_CASE("acknowledgements, bindings, routing and sweeps are noted with their keys", "[broker][traffic]") {
    CHECK(notes_of({"hdel", "unacked", "a", "b"}) ==
          list{{wire_kind::settled, "unacked", "a", ""}, {wire_kind::settled, "unacked", "b", ""}});
    CHECK(notes_of({"sadd", "_kombu.binding.celery", "m"}) ==
          list{{wire_kind::bound, "_kombu.binding.celery", "m", ""}});
    CHECK(notes_of({"srem", "p:_kombu.binding.celery", "m"}) ==
          list{{wire_kind::unbound, "p:_kombu.binding.celery", "m", ""}});
    CHECK(notes_of({"sadd", "tags", "m"}).empty());
    CHECK(notes_of({"smembers", "_kombu.binding.x"}) ==
          list{{wire_kind::routed, "_kombu.binding.x", "", ""}});
    CHECK(notes_of({"zrevrangebyscore", "unacked_index", "12.5", "0"}) ==
          list{{wire_kind::swept, "unacked_index", "12.5", ""}});
    CHECK(notes_of({"zrange", "unacked_index", "12.5", "0", "BYSCORE", "REV", "WITHSCORES"}) ==
          list{{wire_kind::swept, "unacked_index", "12.5", ""}});
    CHECK(notes_of({"zrange", "board", "0", "-1"}).empty());
}

TEST_CASE("what is published, listened to and deleted is noted by name", "[broker][traffic]") {
    CHECK(notes_of({"publish", "/2.celeryev", "{}"}) ==
          list{{wire_kind::published, "/2.celeryev", "{}", ""}});
    CHECK(notes_of({"psubscribe", "/2.celeryev/*"}) ==
          list{{wire_kind::listens, "/2.celeryev/*", "", "pattern"}});
    CHECK(notes_of({"unsubscribe"}) == list{{wire_kind::listens_no_more, "", "", ""}});
    CHECK(notes_of({"del", "a", "b"}) ==
          list{{wire_kind::deleted, "a", "", ""}, {wire_kind::deleted, "b", "", ""}});
}

TEST_CASE("commands that are cut short tell nothing", "[broker][traffic]") {
    for (const auto* name :
         {"lpush", "hset", "hdel", "sadd", "smembers", "publish", "zrevrangebyscore", "get"})
        CHECK(notes_of({name}).empty());
    CHECK(traffic_of("get") == traffic::none);
}

TEST_CASE("a long message is noted by its tail and its size", "[broker][traffic]") {
    const std::string message(100'000, 'x');
    std::string batch;
    const std::vector<std::string_view> args{"lpush", "q", message};
    append_notes(batch, traffic::push_left, args, {});
    note_reader reader(batch);
    wire_note note;
    REQUIRE(reader.next(note));
    CHECK(note.text.size() == message_tail_bytes);
    CHECK(note.size == message.size());
}

TEST_CASE("of a message that is there in part the true size is told", "[broker][traffic]") {
    std::string batch;
    const std::vector<std::string_view> args{"lpush", "q", "part", "whole"};
    const std::vector<std::uint64_t> lengths{5, 1, 1'000'000, 5};
    append_notes(batch, traffic::push_left, args, {}, lengths);
    note_reader reader(batch);
    wire_note note;
    REQUIRE(reader.next(note));
    CHECK(note.size == 1'000'000);
    REQUIRE(reader.next(note));
    CHECK(note.size == 5);
}
