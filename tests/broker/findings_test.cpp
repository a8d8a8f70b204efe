#include "broker/findings.hpp"

#include <algorithm>

#include "catch2/catch.hpp"
#include "tests/broker/observer_stage.hpp"

using namespace broker;
using namespace observer_stage;

namespace {

std::vector<finding> problems(const stage& at, const redis_facts& facts = {}) {
    return find_problems(at.watch, 2, facts, at.now);
}

const finding* find(const std::vector<finding>& all, std::string_view id) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const finding& each) { return each.id == id; });
    return found == all.end() ? nullptr : &*found;
}

redis_facts healthy() {
    redis_facts facts;
    facts.known = true;
    facts.maxmemory_policy = "noeviction";
    facts.appendonly = true;
    facts.clock_ahead_s = 0.0;
    facts.bindings_complete = true;
    facts.bound[{2, ""}] = {"celery"};
    facts.mailboxes[{2, ""}] = {"w1@host"};
    return facts;
}

// Works on for so long that nothing is too fresh to be judged.
void live(stage& at, int seconds, std::uint64_t client = 10) {
    for (int i = 0; i < seconds; ++i) {
        at.note(client, wire_kind::waits, "",
                "celery\ncelery\x06\x16"
                "3",
                "1000");
        at.heartbeat(client + 2, "w1@host");
        at.pass(1);
    }
}

}  // namespace

TEST_CASE("find_problems finds nothing wrong with a healthy broker", "[broker][findings]") {
    stage at;
    at.worker();
    at.note(11, wire_kind::swept, "unacked_index", std::to_string(start / second - 3600));
    live(at, 100);
    at.push(1, 1);
    at.pop(10, 1);
    at.take(11, 1);
    CHECK(problems(at, healthy()).empty());
}

TEST_CASE("find_problems names who has another visibility timeout", "[broker][findings]") {
    stage at;
    at.worker();
    at.note(11, wire_kind::swept, "unacked_index", std::to_string(at.now / second - 3600));
    at.connect(50, "10.0.0.50:1");
    at.note(50, wire_kind::swept, "unacked_index", std::to_string(at.now / second - 60));
    const auto found = problems(at);
    REQUIRE(find(found, "visibility-timeouts-differ"));
    CHECK(find(found, "visibility-timeouts-differ")->subject == "10.0.0.50:1");
    CHECK(find(found, "visibility-timeouts-differ")->evidence.at("shortest_seconds").to_number<double>() ==
          60);
}

TEST_CASE("find_problems foresees tasks that run twice", "[broker][findings]") {
    stage at;
    at.worker();
    at.note(11, wire_kind::swept, "unacked_index", std::to_string(at.now / second - 3600));
    const message_options later{.eta = R"("2026-12-31T00:00:00+00:00")"};
    at.pop(10, 1, "celery", later);
    at.take(11, 1);
    const auto found = problems(at);
    REQUIRE(find(found, "eta-beyond-visibility-timeout"));
    CHECK(find(found, "eta-beyond-visibility-timeout")->level == severity::critical);
}

TEST_CASE("find_problems tells a catatonic worker from a busy one", "[broker][findings]") {
    stage at;
    at.worker();
    live(at, 5);
    const bool busy = GENERATE(true, false);
    if (busy) {
        at.pop(10, 1);
        at.take(11, 1);
    }
    at.push(1, 2);
    for (int i = 0; i < 60; ++i) {
        at.event(12, "worker.heartbeat",
                 R"({"type":"worker-heartbeat","hostname":"w1@host","timestamp":)" +
                     std::to_string(at.now / second) +
                     R"(,"pid":7,"clock":9,"freq":2.0,"active":0,"processed":0})");
        at.pass(1);
    }
    at.watch.on_depth(2, "celery", 1, uuid(2), at.now);
    const auto found = problems(at);
    CHECK((find(found, "catatonic-worker") == nullptr) == busy);
    if (!busy) CHECK(find(found, "catatonic-worker")->level == severity::critical);
}

TEST_CASE("find_problems sees a skewed clock, silence and drifting prefetch", "[broker][findings]") {
    stage at;
    at.worker();
    at.watch.on_stats({2, ""}, "w1@host", 4, 700);
    at.event(12, "worker.heartbeat",
             R"({"type":"worker-heartbeat","hostname":"w1@host","timestamp":)" +
                 std::to_string(at.now / second - 30) +
                 R"(,"pid":7,"clock":9,"freq":2.0,"active":0,"processed":0})");
    auto found = problems(at);
    REQUIRE(find(found, "clock-skew"));
    CHECK(find(found, "clock-skew")->subject == "w1@host");
    CHECK(find(found, "prefetch-drift"));
    at.pass(20);
    found = problems(at);
    CHECK(find(found, "silent-worker"));
    CHECK(find(found, "catatonic-worker") == nullptr);
}

TEST_CASE("find_problems finds lists that nobody pops, also of one priority", "[broker][findings]") {
    stage at;
    at.worker();
    at.push(1, 1, "celrey");
    at.push(1, 2,
            "celery\x06\x16"
            "9");
    at.push(1, 3, "bcast.00000000-0000-4000-8000-000000000001");
    live(at, 70);
    at.watch.on_depth(2, "celrey", 1, std::nullopt, at.now);
    at.watch.on_depth(2,
                      "celery\x06\x16"
                      "9",
                      1, std::nullopt, at.now);
    at.watch.on_depth(2, "bcast.00000000-0000-4000-8000-000000000001", 1, std::nullopt, at.now);
    const auto found = problems(at);
    std::set<std::string> subjects;
    for (const finding& each : found) {
        if (each.id == "unpopped-list") subjects.insert(each.subject);
    }
    CHECK(subjects == std::set<std::string>{"bcast.00000000-0000-4000-8000-000000000001", "celrey"});
    REQUIRE(find(found, "unpopped-priority"));
    CHECK(find(found, "unpopped-priority")->evidence.at("priority").as_int64() == 9);
}

TEST_CASE("find_problems reports drops, orphans, loops, foreign and huge messages", "[broker][findings]") {
    stage at;
    at.worker();
    at.note(3, wire_kind::routed, "_kombu.binding.news");
    at.note(1, wire_kind::pushed, "celery", "not kombu");
    at.watch.on_note({wire_kind::pushed, 2, 1, at.now, "celery", message(1), "left", 5 << 20});
    for (int i = 0; i < 6; ++i) at.pop(10, 2, "celery", {.redelivered = true});
    at.take(11, 2);
    for (const std::uint64_t client : {10, 11, 12}) at.note(client, wire_kind::gone);
    at.pass(20);
    const auto found = problems(at);
    for (const auto* const id :
         {"silent-drop", "undecodable-messages", "huge-messages", "redelivery-loop", "orphans"}) {
        CAPTURE(id);
        CHECK(find(found, id));
    }
    CHECK(std::is_sorted(found.begin(), found.end(),
                         [](const finding& a, const finding& b) { return a.level > b.level; }));
}

TEST_CASE("find_problems judges what Redis holds and how it is set", "[broker][findings]") {
    stage at;
    at.worker();
    live(at, 30);
    redis_facts facts = healthy();
    facts.maxmemory_policy = "allkeys-lru";
    facts.maxmemory = 100;
    facts.used_memory = 95;
    facts.appendonly = false;
    facts.clock_ahead_s = -8;
    facts.mailboxes[{2, ""}].insert("dead@host");
    facts.bound.clear();
    facts.mutex_for_ever.insert({2, ""});
    facts.reply_lists.push_back({{2, ""}, "x.reply.celery.pidbox", 12, false});
    facts.reply_lists.push_back({{2, ""}, "y.reply.celery.pidbox", 12, true});
    const auto found = problems(at, facts);
    for (const auto* const id :
         {"eviction-policy", "memory-full", "no-persistence", "clock-skew", "stale-pidbox", "missing-binding",
          "mutex-without-ttl", "leaked-reply-lists"}) {
        CAPTURE(id);
        CHECK(find(found, id));
    }
    CHECK(find(found, "eviction-policy")->level == severity::critical);
    CHECK(find(found, "leaked-reply-lists")->evidence.at("replies").to_number<int>() == 12);
    facts.known = false;
    CHECK(problems(at, facts).empty());
}
