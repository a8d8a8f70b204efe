#include "broker/peer_board.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "tests/broker/recording_redis.hpp"

using namespace broker;

namespace {

constexpr std::int64_t second_us = 1'000'000;
using places = std::vector<worker_place>;

// What a board needs of Redis, without any expiry of its own.
class board_redis : public redis_port {
public:
    std::map<std::string, std::string> texts;
    std::set<std::string> index;
    bool away = false;

    [[nodiscard]] std::vector<resp::value> pipeline(std::span<const redis_command> given) override {
        std::vector<resp::value> replies;
        for (const auto& command : given) replies.push_back(run(command));
        return replies;
    }

private:
    resp::value run(const redis_command& command) {
        resp::value reply;
        if (away) {
            reply.type = resp::kind::error;
            reply.text = redis_gone;
        } else if (command[0] == "SET") {
            texts[command[1]] = command[2];
        } else if (command[0] == "ZADD") {
            index.insert(command[3]);
        } else if (command[0] == "DEL") {
            texts.erase(command[1]);
        } else if (command[0] == "ZREM") {
            index.erase(command[2]);
        } else if (command[0] == "ZREVRANGE") {
            reply.type = resp::kind::array;
            for (const auto& id : index) reply.items.push_back(bulk(id));
        } else if (command[0] == "GET" && texts.contains(command[1])) {
            reply = bulk(texts[command[1]]);
        }
        return reply;
    }
};

}  // namespace

TEST_CASE("peer_board learns which workers have sockets at another sidecar", "[peer_board]") {
    board_redis redis;
    peer_board here("a", "m1");
    peer_board there("b", "m2");
    here.exchange(redis, {}, second_us);
    CHECK_FALSE(here.others().others);
    there.exchange(redis, places{{"10.0.0.7", "w1@x"}, {"127.0.0.1", ""}}, second_us);
    here.exchange(redis, {}, 2 * second_us);
    CHECK(here.others().others);
    CHECK(here.others().holds("10.0.0.7", "w1@x"));
    CHECK(here.others().holds("10.0.0.7", ""));
    CHECK_FALSE(here.others().holds("10.0.0.7", "w2@x"));
    CHECK_FALSE(here.others().holds("10.0.0.8", "w1@x"));
    CHECK_FALSE(here.others().holds("127.0.0.1", ""));  // of another machine
    CHECK_FALSE(there.others().holds("10.0.0.7", "w1@x"));
}

TEST_CASE("peer_board writes nothing where no workers are", "[peer_board]") {
    board_redis redis;
    peer_board here("a", "m");
    peer_board there("b", "m");
    here.exchange(redis, {}, second_us);
    CHECK(redis.index.empty());
    there.exchange(redis, places{{"10.0.0.7", "w1@x"}}, 2 * second_us);
    CHECK(redis.index == std::set<std::string>{"b"});
    here.exchange(redis, {}, 2 * second_us);
    here.exchange(redis, {}, 3 * second_us);  // now that it knows of workers
    CHECK(redis.index == std::set<std::string>{"a", "b"});
    there.exchange(redis, {}, 4 * second_us);
    CHECK(there.others().others);
    CHECK(redis.index == std::set<std::string>{"a", "b"});
    for (const std::int64_t later : {5, 120}) {
        here.exchange(redis, {}, later * second_us);
        there.exchange(redis, {}, later * second_us);
    }
    CHECK(redis.index.empty());
    CHECK(redis.texts.empty());
}

TEST_CASE("peer_board forgets who is gone, but nothing while Redis is away", "[peer_board]") {
    board_redis redis;
    peer_board here("a", "m");
    peer_board there("b", "m");
    there.exchange(redis, places{{"/run/redis.sock", "w1@x"}}, second_us);
    here.exchange(redis, {}, second_us);
    CHECK(here.others().holds("127.0.0.1", "w1@x"));
    redis.away = true;
    here.exchange(redis, {}, 2 * second_us);
    CHECK(here.others().holds("127.0.0.1", "w1@x"));
    redis.away = false;
    redis.texts.erase("__sidecar:br:peer:b");  // expired
    here.exchange(redis, {}, 3 * second_us);
    CHECK_FALSE(here.others().others);
}

TEST_CASE("peer_board takes whoever tells too little for whoever it may be", "[peer_board]") {
    board_redis redis;
    peer_board here("a", "m");
    peer_board there("b", "m", {.places_max = 1});
    there.exchange(redis, places{{"10.0.0.7", "w1@x"}, {"10.0.0.8", "w2@x"}}, second_us);
    CHECK(there.untold() == 1);
    here.exchange(redis, {}, second_us);
    CHECK(here.others().holds("10.0.0.9", "w9@x"));
    redis.texts["__sidecar:br:peer:b"] = "of another version";
    here.exchange(redis, {}, second_us);
    CHECK(here.others().holds("10.0.0.9", "w9@x"));
}
