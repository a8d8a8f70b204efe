#include <catch2/catch.hpp>

#include "broker/delivery_rules.hpp"
#include "tests/sidecar/session_harness.hpp"

using namespace tests;

namespace {

test_client& worker(session_harness& h) {
    auto& client = h.connect();
    CHECK(h.ask(client, {"SELECT", "2"}) == "+OK\r\n");
    return client;
}

void apply(session_harness& h, broker::db_rules of_db_2) {
    auto rules = std::make_shared<broker::delivery_rules>();
    rules->by_db[2] = std::move(of_db_2);
    h.core->set_delivery_rules(rules);
    h.turn();
}

broker::db_rules pausing(const std::string& queue) {
    broker::db_rules rules;
    rules.paused = {queue};
    return rules;
}

std::string message(const std::string& task, const std::string& tag = "t", const std::string& id = "i") {
    return R"({"body": "W10=", "headers": {"task": ")" + task + R"(", "id": ")" + id +
           R"("}, "properties": {"delivery_tag": ")" + tag + R"("}})";
}

std::string reply_of(const std::string& key, const std::string& element) {
    std::string out = "*2\r\n";
    resp::append_bulk(out, key);
    resp::append_bulk(out, element);
    return out;
}

}  // namespace

TEST_CASE("a paused queue is not asked for, whatever lies in it", "[sidecar][parked_steering]") {
    session_harness h;
    auto& client = worker(h);
    apply(h, pausing("celery"));
    h.redis.push("celery", "m");
    h.command(client, {"BLPOP", "celery",
                       "celery\x06\x16"
                       "3",
                       "1"});
    h.pass_slowly(milliseconds(900));
    CHECK(client.received.empty());
    CHECK(h.redis.count_of("BLPOP") == 0);
    h.pass_slowly(milliseconds(200));
    CHECK(h.take(client) == "*-1\r\n");
}

TEST_CASE("a queue that opens is served at once", "[sidecar][parked_steering]") {
    session_harness h;
    auto& client = worker(h);
    apply(h, pausing("celery"));
    h.redis.push("celery", "m");
    h.command(client, {"BLPOP", "celery", "0"});
    apply(h, {});
    h.pass_slowly(milliseconds(50));
    CHECK(h.take(client) == reply_of("celery", "m"));
}

TEST_CASE("a call that waits upstream is called back when its queue is paused",
          "[sidecar][parked_steering]") {
    session_harness h;
    auto& client = worker(h);
    h.command(client, {"BLPOP", "celery", "other", "0"});
    apply(h, pausing("celery"));
    h.pass_slowly(milliseconds(50));
    h.redis.push("celery", "m");
    h.turn();
    CHECK(client.received.empty());
    CHECK(h.redis.lists["celery"].size() == 1);
    h.redis.push("other", "n");
    h.turn();
    CHECK(h.take(client) == reply_of("other", "n"));
}

TEST_CASE("what was popped from a queue paused meanwhile goes back unseen", "[sidecar][parked_steering]") {
    session_harness h;
    auto& client = worker(h);
    h.answers = false;
    h.command(client, {"BLPOP", "celery", "0"});
    h.deliver();
    h.redis.push("celery", "first");
    h.redis.push("celery", "second");
    apply(h, pausing("celery"));
    h.answers = true;
    h.pass_slowly(milliseconds(50));
    CHECK(client.received.empty());
    CHECK(h.redis.lists["celery"] == std::deque<std::string>{"first", "second"});
}

TEST_CASE("CLIENT UNBLOCK ends a call that is shut out", "[sidecar][parked_steering]") {
    session_harness h;
    auto& client = worker(h);
    apply(h, pausing("celery"));
    h.command(client, {"BLPOP", "celery", "0"});
    CHECK(client.side->unblock(parked_call::unblock_as::timeout));
    h.turn();
    CHECK(h.take(client) == "*-1\r\n");
}

TEST_CASE("a client that goes while it is shut out leaves nothing behind", "[sidecar][parked_steering]") {
    session_harness h;
    auto& client = worker(h);
    apply(h, pausing("celery"));
    h.redis.push("celery", "m");
    h.command(client, {"BLPOP", "celery", "0"});
    h.breaks(client);
    apply(h, {});
    h.pass_slowly(milliseconds(100));
    CHECK(h.redis.lists["celery"].size() == 1);
}

TEST_CASE("a held task is put aside and the call goes on", "[sidecar][parked_steering]") {
    session_harness h;
    auto& client = worker(h);
    broker::db_rules rules;
    rules.held_tasks = {"proj.slow"};
    apply(h, rules);
    h.redis.push("celery", message("proj.slow"));
    h.redis.push("celery", message("proj.fast"));
    h.command(client, {"BLPOP", "celery", "0"});
    CHECK(h.take(client) == reply_of("celery", message("proj.fast")));
    CHECK(h.redis.lists["__sidecar:br:held:celery"] == std::deque<std::string>{message("proj.slow")});
    CHECK(h.count().broker_withheld == 1);
}

TEST_CASE("a marked message goes where its mark says", "[sidecar][parked_steering]") {
    session_harness h;
    auto& client = worker(h);
    broker::db_rules rules;
    rules.marks["deep"] = {broker::delivery_mark::action::moved, "elsewhere"};
    apply(h, rules);
    h.redis.push("celery", message("proj.add", "deep"));
    h.redis.push("celery", message("proj.add", "next"));
    h.command(client, {"BLPOP", "celery", "0"});
    CHECK(h.take(client) == reply_of("celery", message("proj.add", "next")));
    CHECK(h.redis.lists["elsewhere"].size() == 1);
}

TEST_CASE("a queue's rate lets so many pass", "[sidecar][parked_steering]") {
    session_harness h;
    auto& client = worker(h);
    broker::db_rules rules;
    rules.queue_rates["celery"] = {2, 1};
    apply(h, rules);
    for (int i = 0; i < 10; ++i) h.redis.push("celery", std::to_string(i));
    int delivered = 0;
    for (int tick = 0; tick < 300; ++tick) {
        if (client.side->stalled() == stall::none) h.command(client, {"BLPOP", "celery", "1"});
        h.core->set_unix_time_us(1'000'000'000 + tick * 10'000);
        h.pass(milliseconds(10));
        if (h.take(client).starts_with("*2")) ++delivered;
    }
    CHECK(delivered >= 6);
    CHECK(delivered <= 8);
}

TEST_CASE("a script that finds Redis away is sent again until it is done", "[sidecar][parked_steering]") {
    session_harness h;
    auto& client = worker(h);
    broker::db_rules rules;
    rules.held_tasks = {"proj.slow"};
    apply(h, rules);
    h.redis.scripted["EVAL"] = "-LOADING Redis is loading\r\n";
    h.redis.push("celery", message("proj.slow"));
    h.command(client, {"BLPOP", "celery", "0"});
    h.pass_slowly(milliseconds(500));
    CHECK(h.redis.lists["__sidecar:br:held:celery"].empty());
    h.redis.scripted.clear();
    h.pass_slowly(milliseconds(500));
    CHECK(h.redis.lists["__sidecar:br:held:celery"].size() == 1);
}
