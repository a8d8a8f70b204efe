#include "broker/unacked_census.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/broker/memory_redis.hpp"
#include "tests/broker/observer_stage.hpp"

using namespace broker;
using namespace observer_stage;

namespace {

// The index and the hash of unacknowledged messages.
struct held_redis : memory_redis {
    std::vector<std::pair<std::int64_t, std::string>> index;  // score and tag, in order
    std::map<std::string, std::string> values;
    std::uint64_t reads = 0;

    void hold(int number, std::int64_t score, const message_options& of = {}) {
        index.emplace_back(score, uuid(number));
        std::sort(index.begin(), index.end());
        values[uuid(number)] = "[" + message(number, of) + R"(, "", "x"])";
    }

protected:
    resp::value run(const redis_command& command) override {
        if (away) return memory_redis::run(command);
        resp::value reply;
        reply.type = resp::kind::array;
        if (command[0] == "HLEN") {
            reply.type = resp::kind::integer;
            reply.integer = static_cast<std::int64_t>(values.size());
        } else if (command[0] == "ZRANGEBYSCORE") {
            const std::int64_t from = command[2] == "-inf" ? -1 : std::stoll(command[2]);
            auto skipped = std::stoull(command[6]);
            for (const auto& [score, tag] : index) {
                if (score < from || (skipped > 0 && skipped-- > 0)) continue;
                if (reply.items.size() == 2 * std::stoull(command[7])) break;
                reply.items.push_back(bulk(tag));
                reply.items.push_back(bulk(std::to_string(score)));
            }
        } else {
            for (std::size_t i = 4; i < command.size(); ++i, ++reads) {
                resp::value size;
                size.type = resp::kind::integer;
                size.integer = static_cast<std::int64_t>(values[command[i]].size());
                reply.items.push_back(size);
                reply.items.push_back(bulk(values[command[i]]));
            }
        }
        return reply;
    }
};

std::string route(std::string_view exchange, std::string_view routing_key) {
    return exchange.empty() ? std::string(routing_key) : "by exchange";
}

const broker_id ours{2, ""};
const broker_layout layout;

}  // namespace

TEST_CASE("held messages are counted by queue, however many have one score", "[broker][unacked_census]") {
    held_redis redis;
    stage at;
    at.pass(1);
    for (int i = 0; i < 2'500; ++i) redis.hold(i, i / 1'200);
    redis.hold(3'000, 9, {.queue = "mail"});
    redis.hold(3'001, 9, {.exchange = "direct"});
    unacked_census census(redis);
    const auto& counts = census.take(layout, at.watch, ours, route, at.now);
    CHECK(counts.complete);
    CHECK(counts.total == 2'502);
    CHECK(counts.of("celery") == 2'500);
    CHECK(counts.of("mail") == 1);
    CHECK(counts.of("by exchange") == 1);
    SECTION("what was read once is known") {
        CHECK(redis.reads == 2'502);
        at.pass(5);
        CHECK(census.take(layout, at.watch, ours, route, at.now).of("celery") == 2'500);
        CHECK(redis.reads == 2'502);
    }
    SECTION("a count of many is kept for a moment") {
        const auto before = redis.commands;
        redis.hold(4'000, 10);
        CHECK(census.take(layout, at.watch, ours, route, at.now).of("celery") == 2'500);
        CHECK(redis.commands == before);
    }
    SECTION("nothing is said while Redis is away") {
        redis.away = true;
        at.pass(5);
        CHECK_FALSE(census.take(layout, at.watch, ours, route, at.now).complete);
    }
}

TEST_CASE("a census beyond its limits says that it is not complete", "[broker][unacked_census]") {
    held_redis redis;
    stage at;
    at.pass(1);
    for (int i = 0; i < 3'000; ++i) redis.hold(i, i);
    SECTION("tags") {
        unacked_census census(redis, {.tags_max = 2'000});
        const auto& counts = census.take(layout, at.watch, ours, route, at.now);
        CHECK_FALSE(counts.complete);
        CHECK(counts.of("celery") == 2'000);
        CHECK(counts.total == 3'000);
    }
    SECTION("messages that have to be read") {
        unacked_census census(redis, {.reads_max = 1'000});
        CHECK(census.take(layout, at.watch, ours, route, at.now).of("celery") == 1'000);
        at.pass(5);
        const auto& counts = census.take(layout, at.watch, ours, route, at.now);
        CHECK(counts.of("celery") == 2'000);
        CHECK(counts.of("") == 1'000);
    }
}

TEST_CASE("what the observer saw needs no look, and what is gone from Redis it forgets",
          "[broker][unacked_census]") {
    held_redis redis;
    stage at;
    at.worker();
    at.connect(1, "10.0.0.9:1");
    for (const int number : {1, 2}) {
        at.push(1, number);
        at.pop(10, number);
        at.take(11, number);
    }
    redis.hold(1, 1);
    at.pass(2);
    unacked_census census(redis);
    CHECK(census.take(layout, at.watch, ours, route, at.now).of("celery") == 1);
    CHECK(redis.reads == 0);
    const auto held = [&] {
        std::uint64_t sum = 0;
        for (const auto& [state, count] : at.watch.unacked_by_state(ours)) sum += count;
        return sum;
    };
    CHECK(held() == 2);  // its note may be younger than the walk
    at.pass(15);
    (void)census.take(layout, at.watch, ours, route, at.now);
    CHECK(held() == 1);
}
