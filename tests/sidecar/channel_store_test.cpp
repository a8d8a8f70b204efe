#include "sidecar/core/channel_store.hpp"

#include <catch2/catch.hpp>

#include "tests/sidecar/session_harness.hpp"

using namespace tests;
using channels::layer_ref;
using channels::node_message;
using channels::node_verb;

namespace {

const layer_ref layer{1, "asgi"};

channels::shared_payload payload(std::string text) {
    return std::make_shared<const std::string>(std::move(text));
}

struct fake_hub final : channel_incoming {
    std::vector<std::string> log;
    store_result answer = store_result::ok;
    std::vector<channels::registration> processes;

    store_result on_send(const layer_ref&, std::string_view channel, channels::shared_payload body,
                         std::uint64_t, std::int64_t) override {
        log.push_back("send " + std::string(channel) + " " + *body);
        return answer;
    }
    channels::group_tally on_group(const layer_ref&, std::string_view group, channels::shared_payload body,
                                   const std::vector<std::string>& except, std::int64_t) override {
        log.push_back("group " + std::string(group) + " " + *body + " -" + channels::join_names(except));
        return {1, 3, 2, 1, 0};
    }
    void on_join(const layer_ref&, std::string_view group, const std::vector<std::string>& names,
                 std::int64_t) override {
        log.push_back("join " + std::string(group) + " " + channels::join_names(names));
    }
    void on_leave(const layer_ref&, std::string_view group, const std::vector<std::string>& names) override {
        log.push_back("leave " + std::string(group) + " " + channels::join_names(names));
    }
    void on_leave_all(const layer_ref&, std::string_view channel) override {
        log.push_back("leave_all " + std::string(channel));
    }
    void on_spooled(const layer_ref&, std::string_view process,
                    std::vector<channels::spooled_message> messages) override {
        for (const auto& m : messages) log.push_back("spooled " + std::string(process) + " " + *m.body);
    }
    void on_taken(const layer_ref&, std::string_view process, std::uint64_t claims,
                  std::function<void(std::vector<channels::spooled_message>)> left) override {
        log.push_back("taken " + std::string(process) + " by claim " + std::to_string(claims));
        channels::spooled_message m;
        m.channel = std::string(process) + "!x";
        m.body = payload("left");
        left({m});
    }
    void on_flush(const layer_ref&) override { log.push_back("flush"); }
    void on_wake(const layer_ref&, std::string_view channel) override {
        log.push_back("wake " + std::string(channel));
    }
    std::vector<channels::registration> snapshot(int) override { return processes; }
};

// A shard whose node is registered. What Redis's scripts answer is said by each test.
struct store_harness : session_harness {
    fake_hub hub;
    store_harness() {
        core->layer_store->attach(hub);
        redis.scripted["SCRIPT"] = "+loaded\r\n";
        redis.scripted["EVALSHA"] = "*2\r\n:1\r\n:0\r\n";
        core->layer_store->bus.start(1);
        pass_slowly(milliseconds(50));
        redis.log.clear();
    }
    channel_store& store() { return *core->layer_store; }
    void redis_answers(std::string reply) { redis.scripted["EVALSHA"] = std::move(reply); }
    void arrives_from(const std::string& origin, node_message m) {
        m.layer = layer;
        m.origin = origin;
        redis.publish("__sidecar:ch:in:0000", channels::encode(m));
        turn();
    }
    // Messages that this node published to another.
    std::vector<node_message> published_to(const std::string& node) {
        std::vector<node_message> messages;
        for (const auto& [db, words] : redis.log)
            if (words[0] == "PUBLISH" && words[1] == "__sidecar:ch:in:" + node)
                messages.push_back(*channels::decode_node_message(words[2]));
        return messages;
    }
};

}  // namespace

TEST_CASE("channel_store: a claim is answered once, not from inside the call, with what waited") {
    store_harness h;
    channels::spooled_message waiting;
    waiting.channel = "p!x";
    waiting.body = payload("hello");
    std::string reply = "*3\r\n*2\r\n:900\r\n";
    resp::append_bulk(reply, channels::encode_spooled(waiting, "other"));
    reply += "*2\r\n$8\r\nroom p!x\r\n:5000\r\n:7\r\n";
    h.redis_answers(reply);
    int answers = 0;
    claim_answer got;
    h.store().claim(layer, "p", 10'000, [&](claim_answer a) {
        ++answers;
        got = std::move(a);
    });
    CHECK(answers == 0);
    h.turn();
    h.turn();
    REQUIRE(answers == 1);
    CHECK(got.ok);
    REQUIRE(got.messages.size() == 1);
    CHECK(*got.messages[0].body == "hello");
    CHECK(got.messages[0].expires_in_ms == 900);
    REQUIRE(got.memberships.size() == 1);
    CHECK(got.memberships[0].group == "room");
    CHECK(got.claims == 7);
}

TEST_CASE("channel_store: a message for another node is answered by that node") {
    store_harness h;
    std::vector<store_result> results;
    const auto keep = [&](store_result r) { results.push_back(r); };
    const auto answered = [&](std::uint64_t request, store_result result) {
        node_message m;
        m.verb = node_verb::answer;
        m.request = request;
        m.result = static_cast<std::uint8_t>(result);
        h.arrives_from("other", m);
    };
    h.redis_answers("$5\r\nother\r\n");
    SECTION("that took it") {
        h.store().send(layer, "p!x", payload("1"), 100, 60'000, "", keep);
        h.turn();
        CHECK(results.empty());
        answered(1, store_result::ok);
        answered(1, store_result::ok);
        CHECK(results == std::vector<store_result>{store_result::ok});
    }
    SECTION("that is full: the idempotency key is given back") {
        h.store().send(layer, "p!x", payload("1"), 100, 60'000, "key", keep);
        h.turn();
        answered(1, store_result::full);
        CHECK(results == std::vector<store_result>{store_result::full});
        h.turn();
        CHECK(h.redis.executed[{"DEL", "__sidecar:ch:asgi:id:key"}] == 1);
    }
    SECTION("that does not have the process: Redis is asked again, told so") {
        h.store().send(layer, "p!x", payload("1"), 100, 60'000, "key", keep);
        h.turn();
        h.redis_answers("$2\r\nok\r\n");
        answered(1, store_result::gone);
        h.turn();
        CHECK(results == std::vector<store_result>{store_result::ok});
        const auto& last = h.redis.log.back().second;
        CHECK(last[last.size() - 2] == "other");
        CHECK(last.back() == "1");
    }
    SECTION("that does not answer in time") {
        h.store().send(layer, "p!x", payload("1"), 100, 60'000, "", keep);
        h.turn();
        h.pass(milliseconds(1'001));
        CHECK(results == std::vector<store_result>{store_result::unknown});
        answered(1, store_result::ok);
        CHECK(results.size() == 1);
    }
}

TEST_CASE("channel_store: what the script says of a message is the answer") {
    store_harness h;
    store_result result = store_result::gone;
    const auto send = [&](const std::string& reply) {
        h.redis_answers(reply);
        h.store().send(layer, "jobs", payload("1"), 100, 60'000, "", [&](store_result r) { result = r; });
        h.turn();
        return result;
    };
    CHECK(send("$2\r\nok\r\n") == store_result::ok);
    CHECK(send("$4\r\nfull\r\n") == store_result::full);
    CHECK(send("$9\r\nduplicate\r\n") == store_result::duplicate);
    CHECK(send("-OOM no memory\r\n") == store_result::unavailable);
}

TEST_CASE("channel_store: other nodes' messages reach the hub, and are answered") {
    store_harness h;
    node_message m;
    m.verb = node_verb::send;
    m.name = "p!x";
    m.request = 77;
    m.body = payload("hello");
    h.hub.answer = store_result::full;
    h.arrives_from("other", m);
    CHECK(h.hub.log == std::vector<std::string>{"send p!x hello"});
    const auto answers = h.published_to("other");
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].verb == node_verb::answer);
    CHECK(answers[0].request == 77);
    CHECK(answers[0].result == static_cast<std::uint8_t>(store_result::full));
}

TEST_CASE("channel_store: a group message is tallied only when the sender asks") {
    store_harness h;
    node_message m;
    m.verb = node_verb::group;
    m.name = "room";
    m.names = {"p!x"};
    m.body = payload("hi");
    h.arrives_from("other", m);
    CHECK(h.hub.log == std::vector<std::string>{"group room hi -p!x"});
    CHECK(h.published_to("other").empty());
    m.request = 5;
    h.arrives_from("other", m);
    const auto answers = h.published_to("other");
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].tally.members == 3);
    CHECK(answers[0].tally.dropped_capacity == 1);
}

TEST_CASE("channel_store: a tallied group message waits for as many nodes as it was sent to") {
    store_harness h;
    h.redis_answers("*9\r\n$2\r\nok\r\n:2\r\n:2\r\n:1\r\n:0\r\n:9\r\n:4\r\n$2\r\nep\r\n:6\r\n");
    group_wish wish;
    wish.group = "room";
    wish.body = payload("hi");
    wish.tallied = true;
    int answers = 0;
    group_answer got;
    h.store().group_send(layer, wish, [&](group_answer a) {
        ++answers;
        got = std::move(a);
    });
    h.turn();
    node_message m;
    m.verb = node_verb::answer;
    m.request = 1;
    m.tally = {1, 3, 2, 1, 0};
    h.arrives_from("one", m);
    CHECK(answers == 0);
    h.arrives_from("two", m);
    REQUIRE(answers == 1);
    CHECK(got.result == store_result::ok);
    CHECK(got.nodes == 2);
    CHECK(got.spooled == 1);
    CHECK(got.members == 9);
    CHECK(got.others.delivered == 4);
    CHECK(got.offset == 4);
    CHECK(got.epoch == "ep");
    CHECK(got.claims == 6);
}

TEST_CASE("channel_store: a process that another node claims is handed over with what it has not read") {
    store_harness h;
    node_message m;
    m.verb = node_verb::taken;
    m.name = "p";
    m.expiry_ms = 8;  // the count of claims
    h.arrives_from("other", m);
    CHECK(h.hub.log == std::vector<std::string>{"taken p by claim 8"});
    const auto handed = h.published_to("other");
    REQUIRE(handed.size() == 1);
    CHECK(handed[0].verb == node_verb::handover);
    h.arrives_from("other", handed[0]);
    CHECK(h.hub.log.back() == "spooled p left");
}

TEST_CASE("channel_store: when Redis has forgotten the node, its processes are written again") {
    store_harness h;
    h.hub.processes.push_back({layer, "p", 10'000, {{"room", "p!x", 5'000}, {"hall", "p!y", 6'000}}});
    // One reply for heartbeat, claim and join: nothing was known.
    h.redis_answers("*3\r\n*0\r\n*2\r\n$7\r\nbar p!z\r\n:100\r\n:1\r\n");
    h.pass_slowly(milliseconds(1'100));
    std::vector<words> calls;
    for (const auto& [db, args] : h.redis.log)
        if (args[0] == "EVALSHA") calls.push_back(args);
    REQUIRE(calls.size() >= 3);
    CHECK(calls[1][1] == channels::text_of(channels::script::claim).sha1);
    CHECK(calls[2][1] == channels::text_of(channels::script::join).sha1);
    CHECK(std::vector<std::string>(calls[2].begin() + 10, calls[2].end()) ==
          std::vector<std::string>{"room", "p!x", "5000", "hall", "p!y", "6000"});
    // What another node wrote meanwhile is the hub's now.
    CHECK(h.hub.log == std::vector<std::string>{"join bar p!z"});
}

TEST_CASE("channel_store: a flush is over when every live node has confirmed") {
    store_harness h;
    store_result result = store_result::gone;
    SECTION("this one") {
        h.redis_answers("*2\r\n:0\r\n*1\r\n$4\r\n0000\r\n");
        h.store().flush(layer, [&](store_result r) { result = r; });
        h.turn();
        CHECK(result == store_result::ok);
        CHECK(h.hub.log == std::vector<std::string>{"flush"});
    }
    SECTION("and one that does not answer") {
        h.redis_answers("*2\r\n:0\r\n*2\r\n$4\r\n0000\r\n$5\r\nother\r\n");
        h.store().flush(layer, [&](store_result r) { result = r; });
        h.turn();
        CHECK(result == store_result::gone);
        h.pass(milliseconds(1'001));
        CHECK(result == store_result::unavailable);
    }
}

TEST_CASE("channel_store: many joins go in several calls and are counted together") {
    store_harness h;
    h.redis_answers(":300\r\n");
    std::vector<std::pair<std::string, std::string>> pairs;
    for (int i = 0; i < 700; ++i) pairs.emplace_back("room", "p!" + std::to_string(i));
    count_answer got;
    h.store().join(layer, pairs, 60'000, [&](count_answer a) { got = a; });
    h.turn();
    CHECK(got.ok);
    CHECK(got.number == 900);
    CHECK(h.redis.count_of("EVALSHA") == 3);
}

TEST_CASE("channel_store: without Redis every call fails within the hold") {
    store_harness h;
    h.reachable = false;
    h.lose_links();
    int failed = 0;
    h.store().claim(layer, "p", 10'000, [&](claim_answer a) { failed += a.ok ? 0 : 1; });
    h.store().count(layer, "room", [&](count_answer a) { failed += a.ok ? 0 : 1; });
    h.store().send(layer, "jobs", payload("1"), 100, 60'000, "",
                   [&](store_result r) { failed += r == store_result::unavailable ? 1 : 0; });
    h.turn();
    CHECK(failed == 0);
    h.pass_slowly(std::chrono::duration_cast<milliseconds>(h.core->settings().settings.hold) +
                  milliseconds(50));
    CHECK(failed == 3);
}
