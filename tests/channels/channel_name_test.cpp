#include "channels/channel_name.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace channels;

TEST_CASE("names of channels: one alphabet, at most one mark, less than 100 bytes") {
    for (const auto* good : {"a", "jobs", "specific.ab12!cd34", "specific.ab12!", "A-Z_0.9!x-y_z.", "a!"})
        CHECK(valid_channel_name(good));
    for (const auto* bad :
         {"", "!", "!x", "a!b!c", "a b", "a\n", "=+135!", "a!b c", "a/b", "\xc3\xa4", "a!\n"})
        CHECK_FALSE(valid_channel_name(bad));
    CHECK(valid_channel_name(std::string(99, 'x')));
    CHECK_FALSE(valid_channel_name(std::string(100, 'x')));
    const std::string local(40, 'y');
    CHECK_FALSE(valid_channel_name(std::string(60, 'x').append("!").append(local)));
    CHECK_FALSE(valid_channel_name(std::string_view("a\0b", 3)));
}

TEST_CASE("names of groups have no mark; prefixes are whatever can be seen") {
    CHECK(valid_group_name("chat.room-1_x"));
    CHECK_FALSE(valid_group_name("chat!1"));
    CHECK_FALSE(valid_group_name(""));
    CHECK_FALSE(valid_group_name(std::string(100, 'g')));
    CHECK(valid_prefix("asgi:app/1"));
    CHECK_FALSE(valid_prefix("a b"));
    CHECK_FALSE(valid_prefix(""));
    CHECK_FALSE(valid_prefix("a\x7f"));
}
