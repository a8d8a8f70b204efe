#include "broker/edit_envelope.hpp"

#include <boost/json/serialize.hpp>

#include "broker/decode.hpp"
#include "tests/broker/golden.hpp"
#include "tests/broker/messages.hpp"

using namespace broker;
namespace json = boost::json;

TEST_CASE("An edit changes its members and not a byte more") {
    const std::string element = tests::add_message();
    envelope_edit edit;
    edit.tag = "tag-2";
    edit.routing_key = "oth\"er";
    edit.exchange = "ex";
    edit.priority = 9;
    edit.headers = {{"retries", 0}, {"new", json::object{{"a", 1}}}, {"eta", nullptr}};
    const auto edited = edit_envelope(element, edit);
    REQUIRE(edited);
    const auto got = read_envelope(*edited);
    REQUIRE(got);
    CHECK(got->head.tag == "tag-2");
    CHECK(got->head.routing_key == "oth\"er");
    CHECK(got->head.exchange == "ex");
    CHECK(got->head.priority == 9);
    CHECK(got->head.retries == 0);
    CHECK(got->body == read_envelope(element)->body);
    CHECK(member(got->headers, "new") == R"({"a":1})");
    CHECK(member(got->headers, "timelimit") == "[60, 50.5]");

    envelope_edit back;
    back.tag = "tag-1";
    back.routing_key = "celery";
    back.exchange = "";
    back.priority = 6;
    CHECK(edit_envelope(element, back) == element);
}

TEST_CASE("Nothing to change leaves the message as it is") {
    for (const auto& release : tests::golden_releases)
        for (const auto* name : {"v2-json", "v2-pickle", "v1-json", "eta", "large"}) {
            const auto element = tests::golden(release, name);
            CHECK(edit_envelope(element, {}) == element);
            envelope_edit edit;
            edit.routing_key = "elsewhere";
            const auto moved = edit_envelope(element, edit);
            REQUIRE(moved);
            edit.routing_key = "celery";
            CHECK(edit_envelope(*moved, edit) == element);
        }
}

TEST_CASE("A mark of redelivery is set and taken away") {
    envelope_edit edit;
    edit.redelivered = false;
    CHECK(edit_envelope(tests::add_message(), edit) == tests::add_message());
    edit.redelivered = true;
    const auto marked = edit_envelope(tests::add_message(), edit);
    REQUIRE(marked);
    CHECK(read_envelope(*marked)->head.redelivered);
    edit.redelivered = false;
    CHECK_FALSE(read_envelope(*edit_envelope(*marked, edit))->head.redelivered);
}

TEST_CASE("A message without headers can be edited") {
    envelope_edit edit;
    edit.tag = "u";
    CHECK(edit_envelope(R"({"body":"","properties":{"delivery_tag":"t"}})", edit) ==
          R"({"body":"","properties":{"delivery_tag":"u"}})");
}

TEST_CASE("A message without delivery_info gets one") {
    envelope_edit edit;
    edit.routing_key = "q";
    const auto got = edit_envelope(R"({"body":"","headers":{},"properties":{"delivery_tag":"t"}})", edit);
    CHECK(got == R"({"body":"","headers":{},"properties":{"delivery_tag":"t", )"
                 R"("delivery_info": {"routing_key": "q"}}})");
    edit.headers = {{"a", 1}};
    const auto more = edit_envelope(R"({"body":"","headers":{},"properties":{"delivery_tag":"t"}})", edit);
    REQUIRE(more);
    CHECK(more->find(R"("headers":{"a": 1})") != std::string::npos);
}

TEST_CASE("Another call in the same message") {
    for (const auto& release : tests::golden_releases)
        for (const auto* name : {"v2-pickle", "v2-json-zlib", "v2-json"}) {
            const auto element = tests::golden(release, name);
            const auto before = decode(element);
            const auto edited = replace_call(element, {{1, "two"}, {{"k", true}}, nullptr});
            REQUIRE(edited);
            const auto after = decode(*edited);
            CHECK(after.undecoded.empty());
            CHECK(json::serialize(after.args) == R"([1,"two"])");
            CHECK(json::serialize(after.kwargs) == R"({"k":true})");
            CHECK(after.head.argsrepr == "(1, 'two')");
            CHECK(after.head.kwargsrepr == "{'k': True}");
            CHECK(after.head.id == before.head.id);
            CHECK(after.head.tag == before.head.tag);
            CHECK(after.head.compression.empty());
        }
    CHECK_FALSE(replace_call("garbage", {}));
    CHECK_FALSE(edit_envelope("garbage", {}));
}

TEST_CASE("Values kombu's JSON cannot carry are not written") {
    const auto element = tests::add_message();
    const auto with = [&](json::value value) {
        return replace_call(element, {{std::move(value)}, {}, nullptr});
    };
    for (const auto* type : {"object", "set", "cycle", "int", "map"})
        CHECK_FALSE(with(json::object{{"deep", typed(type, "x")}}));
    const auto dated = with(typed("datetime", "2026-11-22T12:00:00"));
    REQUIRE(dated);
    CHECK(decode(*dated).args.as_array()[0] == typed("datetime", "2026-11-22T12:00:00"));
    const auto tuple = with(typed("tuple", json::array{1, typed("tuple", json::array{2})}));
    REQUIRE(tuple);
    CHECK(json::serialize(decode(*tuple).args) == "[[1,[2]]]");
}

TEST_CASE("A long text survives another call in its message") {
    const auto element = tests::golden("celery-5.7", "large");
    const auto before = decode(element, uncut_limits());
    CHECK_FALSE(before.cut);
    const auto edited = replace_call(element, {before.args.as_array(), {{"k", 1}}, before.embed});
    REQUIRE(edited);
    const auto after = decode(*edited, uncut_limits());
    CHECK(after.args == before.args);
    CHECK(after.args.as_array()[0].as_string().size() == 100'000);
}

TEST_CASE("A message that is broken where reading passes over it is not edited") {
    CHECK_FALSE(edit_envelope(R"({"body":"","properties":{"delivery_tag":"t","a":{"b" 1}}})", {}));
    CHECK_FALSE(edit_envelope(R"({"body":"","headers":{"a":[1 2]},"properties":{"delivery_tag":"t"}})", {}));
}
