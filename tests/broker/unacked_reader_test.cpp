#include "broker/unacked_reader.hpp"

#include <catch2/catch.hpp>

#include "recording_redis.hpp"

using namespace broker;

namespace {
const broker_layout layout;
}

TEST_CASE("unacked_reader measures values and fetches only the small ones", "[unacked_reader]") {
    recording_redis redis;
    redis.answers["ZRANGEBYSCORE"] = {texts({"small", "10.5", "large", "11"})};
    redis.answers["HSTRLEN"] = {number(5), number(200'000'000)};
    redis.answers["HGET"] = {bulk("bytes")};
    unacked_reader reader(redis);
    const auto page = reader.page(layout, "", 10);
    REQUIRE(page.items.size() == 2);
    CHECK(page.items[0].tag == "small");
    CHECK(page.items[0].taken_at == 10.5);
    CHECK(page.items[0].value == "bytes");
    CHECK(page.items[1].size == 200'000'000);
    CHECK(page.items[1].value.empty());
    CHECK(redis.count("HGET") == 1);
    CHECK(redis.last("HGET")->at(2) == "small");
    CHECK_FALSE(page.next);
}

TEST_CASE("unacked_reader goes on behind its cursor, also among equal times", "[unacked_reader]") {
    recording_redis redis;
    redis.answers["ZRANGEBYSCORE"] = {texts({"a", "10", "b", "10", "c", "10", "d", "11"})};
    redis.answers["HSTRLEN"] = {number(1)};
    redis.answers["HGET"] = {bulk("x")};
    unacked_reader reader(redis);
    const auto page = reader.page(layout, "10 b", 1);
    CHECK(redis.last("ZRANGEBYSCORE")->at(2) == "10");
    REQUIRE(page.items.size() == 1);
    CHECK(page.items[0].tag == "c");
    CHECK(page.next == "10 c");
}

TEST_CASE("unacked_reader ends a page at its bytes and tells where to go on", "[unacked_reader]") {
    recording_redis redis;
    std::vector<std::string> pairs;
    for (int i = 100; i < 200; ++i) {
        pairs.push_back("t" + std::to_string(i));
        pairs.emplace_back("1");
    }
    redis.answers["ZRANGEBYSCORE"] = {texts(pairs)};
    redis.answers["HSTRLEN"] = {number(64 << 10)};
    redis.answers["HGET"] = {bulk("x")};
    unacked_reader reader(redis);
    const auto page = reader.page(layout, "", 100);
    CHECK(page.items.size() == 32);
    CHECK(page.next == "1 t131");
}

TEST_CASE("unacked_reader finds one by its tag, whole unless it is too large", "[unacked_reader]") {
    recording_redis redis;
    redis.answers["HSTRLEN"] = {number(1'000'000), number(50'000'000), number(0)};
    redis.answers["ZSCORE"] = {bulk("12.25")};
    redis.answers["HGET"] = {bulk("value")};
    unacked_reader reader(redis);
    const auto found = reader.find(layout, "t");
    REQUIRE(found);
    CHECK(found->value == "value");
    CHECK(found->taken_at == 12.25);
    const auto large = reader.find(layout, "t");
    REQUIRE(large);
    CHECK(large->value.empty());
    CHECK(large->size == 50'000'000);
    CHECK_FALSE(reader.find(layout, "t"));
    CHECK(redis.count("HGET") == 1);
}

TEST_CASE("unacked_reader says what Redis said", "[unacked_reader]") {
    recording_redis redis;
    redis.answers["ZRANGEBYSCORE"] = {error("WRONGTYPE")};
    redis.answers["HLEN"] = {number(3)};
    unacked_reader reader(redis);
    CHECK(reader.page(layout, "", 10).error == "WRONGTYPE");
    CHECK(reader.count(layout) == 3);
}
