#include "channels/node_message.hpp"

#include <catch2/catch.hpp>

using namespace channels;

namespace {

shared_payload payload(std::string text) {
    return std::make_shared<const std::string>(std::move(text));
}

node_message full_message() {
    node_message m;
    m.verb = node_verb::answer;
    m.layer = {1, "asgi"};
    m.request = 18'446'744'073'709'551'615U;
    m.origin = "0123abcd";
    m.name = "room";
    m.names = {"a!b", "c!d"};
    m.capacity = 100;
    m.expiry_ms = 60'000;
    m.result = 2;
    m.tally = {1, 2, 3, 4, 5};
    m.body = payload(std::string("bytes\0of any:kind", 17));
    return m;
}

}  // namespace

TEST_CASE("node_message: what is encoded is read back") {
    const node_message m = full_message();
    const auto back = decode_node_message(encode(m));
    REQUIRE(back);
    CHECK(back->verb == m.verb);
    CHECK(back->layer == m.layer);
    CHECK(back->request == m.request);
    CHECK(back->origin == m.origin);
    CHECK(back->name == m.name);
    CHECK(back->names == m.names);
    CHECK(back->capacity == m.capacity);
    CHECK(back->expiry_ms == m.expiry_ms);
    CHECK(back->result == m.result);
    CHECK(back->tally.processes == 1);
    CHECK(back->tally.dropped_slow == 5);
    CHECK(*back->body == *m.body);
    CHECK(head_of(m, m.body->size()) + *m.body == encode(m));
}

TEST_CASE("node_message: what Lua writes is read") {
    const auto m = decode_node_message("4:join1:14:asgi1:01:B1:g9:p1!x p1!y1:05:600001:00:0:");
    REQUIRE(m);
    CHECK(m->verb == node_verb::join);
    CHECK(m->layer == layer_ref{1, "asgi"});
    CHECK(m->origin == "B");
    CHECK(m->name == "g");
    CHECK(m->names == std::vector<std::string>{"p1!x", "p1!y"});
    CHECK(m->expiry_ms == 60'000);
    CHECK(m->tally.members == 0);
    CHECK(m->body->empty());
}

TEST_CASE("node_message: no cut and no foreign text is taken for a message") {
    const std::string whole = encode(full_message());
    for (std::size_t n = 0; n < whole.size(); ++n) CHECK(!decode_node_message(whole.substr(0, n)));
    CHECK(!decode_node_message(whole + "x"));
    CHECK(!decode_node_message("99999999999:x"));
    CHECK(!decode_node_message("4:what1:14:asgi1:01:B1:g0:1:01:01:00:0:"));
    CHECK(!decode_node_message("4:wake2:164:asgi1:01:B1:g0:1:01:01:00:0:"));
    CHECK(!decode_node_message("4:wake1:14:asgi2:-11:B1:g0:1:01:01:00:0:"));
    CHECK(!decode_node_message("4:wake1:14:asgi1:01:B1:g0:1:01:03:3000:0:"));
    CHECK(decode_node_message("4:wake1:14:asgi1:01:B1:g0:1:01:01:00:0:"));
}

TEST_CASE("node_message: spooled messages keep channel or group, exceptions and origin") {
    spooled_message direct;
    direct.channel = "specific.ab!cd";
    direct.body = payload("hello");
    const auto one = decode_spooled(encode_spooled(direct, "node"));
    REQUIRE(one);
    CHECK(one->message.channel == direct.channel);
    CHECK(one->message.group.empty());
    CHECK(one->origin == "node");
    CHECK(*one->message.body == "hello");

    spooled_message of_group;
    of_group.group = "room";
    of_group.except = {"specific.ab!cd"};
    of_group.body = payload("");
    const auto other = decode_spooled(encode_spooled(of_group, "node"));
    REQUIRE(other);
    CHECK(other->message.group == "room");
    CHECK(other->message.except == of_group.except);

    CHECK(!decode_spooled("1:c0:0:0:0:0:"));
    CHECK(!decode_spooled("1:z0:0:0:0:0:"));
    CHECK(!decode_spooled(""));
}

TEST_CASE("node_message: a handover keeps order and remaining time, up to what cannot be read") {
    std::vector<spooled_message> messages(2);
    messages[0].channel = "p!a";
    messages[0].body = payload("1");
    messages[0].expires_in_ms = 500;
    messages[1].group = "g";
    messages[1].body = payload("2");
    messages[1].expires_in_ms = 1'500;
    const std::string text = encode_handover(messages, "node");
    const auto back = decode_handover(text);
    REQUIRE(back.size() == 2);
    CHECK(back[0].channel == "p!a");
    CHECK(back[0].expires_in_ms == 500);
    CHECK(*back[1].body == "2");
    CHECK(decode_handover(text + "garbage").size() == 2);
    CHECK(decode_handover(text.substr(0, text.size() - 1)).size() == 1);
    CHECK(decode_handover("").empty());
}
