#include "channels/envelope.hpp"

#include <catch2/catch.hpp>

#include "resp/value.hpp"

using namespace channels;

namespace {

// The message as a receiver reads it.
resp::value read(const envelope& message, const std::string& frame) {
    const auto value = resp::parse_value("*" + std::to_string(message.elements()) + "\r\n:7\r\n" + frame);
    REQUIRE(value);
    return *value;
}

}  // namespace

TEST_CASE("a direct message is its channel and its payload") {
    const std::string body("a\0b\r\n", 5);
    const auto made = direct_envelope("specific.a!b", body);
    const auto value = read(*made, made->frame);
    REQUIRE(value.items.size() == 3);
    CHECK(value.items[0].integer == 7);
    CHECK(value.items[1].text == "specific.a!b");
    CHECK(value.items[2].text == body);
    CHECK(made->body() == body);
}

TEST_CASE("a group message has no channel, but its group and who is left out") {
    const auto made = group_envelope("chat", "hello", {"a!1", "b!2"});
    const auto value = read(*made, made->frame);
    REQUIRE(value.items.size() == 5);
    CHECK(value.items[1].text.empty());
    CHECK(value.items[2].text == "hello");
    CHECK(value.items[3].text == "chat");
    REQUIRE(value.items[4].items.size() == 2);
    CHECK(value.items[4].items[1].text == "b!2");
    CHECK(made->body() == "hello");
}

TEST_CASE("a notice has null where messages have a payload, in each protocol's spelling") {
    const auto made = notice_envelope(notice::joined, "a!1", "chat");
    for (const int protocol : {2, 3}) {
        const auto value = read(*made, notice_frame(*made, protocol));
        REQUIRE(value.items.size() == 5);
        CHECK(value.items[1].text == "a!1");
        CHECK(value.items[2].type == resp::kind::null);
        CHECK(value.items[3].text == "chat");
        CHECK(value.items[4].integer == 1);
    }
    CHECK(read(*notice_envelope(notice::left, "a!1", "chat"),
               notice_frame(*notice_envelope(notice::left, "a!1", "chat"), 2))
              .items[4]
              .integer == 0);
}

TEST_CASE("what is spooled comes back as it was") {
    const spooled_message direct{"a!1", {}, {}, std::make_shared<const std::string>("x"), 10};
    const spooled_message grouped{{}, "g", {"a!2"}, std::make_shared<const std::string>("y"), 20};
    for (const auto& message : {direct, grouped}) {
        const auto back = spooled(*envelope_of(message), message.expires_in_ms);
        CHECK(back.channel == message.channel);
        CHECK(back.group == message.group);
        CHECK(back.except == message.except);
        CHECK(*back.body == *message.body);
        CHECK(back.expires_in_ms == message.expires_in_ms);
    }
}
