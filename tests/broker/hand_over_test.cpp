#include "broker/hand_over.hpp"

#include <catch2/catch.hpp>

using namespace broker;
using outcome = hand_over::outcome;

namespace {

hand_over::copy copy_of(std::string key, std::string tag, std::string reserved = {}) {
    return {std::move(key), std::move(tag), "message of it", std::move(reserved), true};
}

// An application without a prefix is known to note its deliveries.
struct known : hand_over {
    known() { learn(2, "unacked"); }
};

constexpr std::string_view uuid = "0d5f3a4e-93b1-4d7c-8d1a-2f3f6f0a4b11";

}  // namespace

TEST_CASE("a copy goes when its tag is noted", "[broker][hand_over]") {
    known ledger;
    CHECK(ledger.delivered(2, copy_of("celery", "t", "r7"), 1) == outcome::followed);
    CHECK(ledger.bytes() > 0);
    const auto told = ledger.confirmed(2, "unacked", "t");
    CHECK(told.known);
    CHECK(told.reserved == "r7");
    CHECK(ledger.client_gone(1).empty());
    CHECK(ledger.size() == 0);
    CHECK(ledger.bytes() == 0);
}

TEST_CASE("what a client leaves unnoted goes back, unless another connection notes it meanwhile",
          "[broker][hand_over]") {
    known ledger;
    (void)ledger.delivered(2, copy_of("celery", "a"), 1);
    (void)ledger.delivered(2, copy_of("celery", "b"), 1);
    (void)ledger.delivered(2, copy_of("celery", "c"), 2);
    CHECK_FALSE(ledger.take_orphan(2, "a"));
    CHECK(ledger.client_gone(1).size() == 2);
    CHECK(ledger.confirmed(2, "unacked", "a").known);
    CHECK_FALSE(ledger.take_orphan(2, "a"));
    const auto back = ledger.take_orphan(2, "b");
    REQUIRE(back);
    CHECK(back->key == "celery");
    CHECK(back->message == "message of it");
    CHECK_FALSE(ledger.take_orphan(2, "b"));
    CHECK(ledger.size() == 1);
}

TEST_CASE("only applications that have noted a delivery are followed", "[broker][hand_over]") {
    hand_over ledger;
    CHECK(ledger.delivered(2, copy_of("celery", "t"), 1) == outcome::not_followed);
    CHECK(ledger.confirmed(2, "p:unacked", "t").new_hash);
    CHECK_FALSE(ledger.confirmed(2, "p:unacked", "t").new_hash);
    CHECK(ledger.delivered(2, copy_of("celery", "t"), 1) == outcome::not_followed);
    CHECK(ledger.delivered(2, copy_of("p:celery", "t"), 1) == outcome::followed);
    CHECK(ledger.delivered(0, copy_of("p:celery", "t"), 1) == outcome::not_followed);
}

TEST_CASE("reply lists, foreign messages and the sidecar's own lists are never followed",
          "[broker][hand_over]") {
    known ledger;
    ledger.learn(2, "p:unacked");
    CHECK_FALSE(ledger.follows(2, std::string(uuid) + ".reply.celery.pidbox", 1));
    CHECK_FALSE(ledger.follows(2, uuid, 1));
    CHECK_FALSE(ledger.follows(2, "__sidecar:br:held:celery", 1));
    CHECK(ledger.delivered(2, copy_of("rq:queue:default", ""), 1) == outcome::not_followed);
}

TEST_CASE("whoever pops again without having noted never will", "[broker][hand_over]") {
    known ledger;
    (void)ledger.delivered(2, copy_of("events", "t", "r1"), 1);
    CHECK(ledger.asks_again(1) == std::vector<std::string>{"r1"});
    CHECK(ledger.client_gone(1).empty());
    CHECK_FALSE(ledger.follows(2, "events", 5));
    CHECK(ledger.follows(2, "celery", 5));

    SECTION("until one of the list's messages is noted") {
        (void)ledger.confirmed(2, "unacked", "t");
        CHECK_FALSE(ledger.follows(2, "events", 5));
    }
    SECTION("a list whose other consumers note stays followed for them") {
        (void)ledger.delivered(2, copy_of("celery", "u"), 2);
        (void)ledger.confirmed(2, "unacked", "u");
        (void)ledger.delivered(2, copy_of("celery", "v"), 3);
        (void)ledger.asks_again(3);
        CHECK(ledger.follows(2, "celery", 2));
        CHECK_FALSE(ledger.follows(2, "celery", 3));
    }
}

TEST_CASE("a list that never confirmed gets only a few messages back", "[broker][hand_over]") {
    known ledger;
    int returned = 0;
    for (std::uint64_t client = 1; client < 10; ++client) {
        (void)ledger.delivered(2, copy_of("jobs", "t"), client);
        (void)ledger.client_gone(client);
        if (ledger.take_orphan(2, "t")) ++returned;
    }
    CHECK(returned == 3);
}

TEST_CASE("a list that confirms gets back whatever its workers leave", "[broker][hand_over]") {
    known ledger;
    (void)ledger.delivered(2, copy_of("jobs", "first"), 100);
    (void)ledger.confirmed(2, "unacked", "first");
    for (std::uint64_t client = 1; client < 10; ++client) {
        (void)ledger.delivered(2, copy_of("jobs", "t"), client);
        (void)ledger.client_gone(client);
        CHECK(ledger.take_orphan(2, "t"));
    }
}

TEST_CASE("beyond its memory nothing is followed, and what leaves makes room", "[broker][hand_over]") {
    hand_over ledger(20);
    ledger.learn(2, "unacked");
    CHECK(ledger.delivered(2, copy_of("celery", "a"), 1) == outcome::followed);
    CHECK(ledger.delivered(2, copy_of("celery", "b"), 1) == outcome::no_room);
    ledger.forget(2, "a");
    CHECK(ledger.delivered(2, copy_of("celery", "b"), 1) == outcome::followed);
}

TEST_CASE("a tag that is delivered again is followed for its new client", "[broker][hand_over]") {
    known ledger;
    (void)ledger.delivered(2, copy_of("celery", "t"), 1);
    (void)ledger.delivered(2, copy_of("celery", "t"), 2);
    CHECK(ledger.client_gone(1).empty());
    CHECK(ledger.client_gone(2).size() == 1);
    CHECK(ledger.size() == 1);
}
