#include "sidecar/core/channel_bus.hpp"

#include <catch2/catch.hpp>

#include "sidecar/core/channel_store.hpp"
#include "tests/sidecar/session_harness.hpp"

using namespace tests;

namespace {

// Redis as far as registration goes: it knows the node.
void knows_scripts(session_harness& h, const std::string& heartbeat = "*2\r\n:1\r\n:0\r\n") {
    h.redis.scripted["SCRIPT"] = "+loaded\r\n";
    h.redis.scripted["EVALSHA"] = heartbeat;
}

const std::string inbox = std::string(channels::inbox_prefix) + "0000";  // of the harness's run id

std::size_t listeners(const session_harness& h, const std::string& name) {
    std::size_t count = 0;
    for (const auto* c : h.redis.connections) count += c->channels.count(name);
    return count;
}

}  // namespace

TEST_CASE("channel_bus: the first use subscribes the inbox, loads the scripts and registers") {
    session_harness h;
    knows_scripts(h);
    CHECK(listeners(h, inbox) == 0);
    h.core->layer_store->bus.start(1);
    h.core->layer_store->bus.start(1);
    h.turn();
    h.pass_slowly(milliseconds(50));
    CHECK(listeners(h, inbox) == 1);
    CHECK(h.redis.count_of("SCRIPT") == channels::script_count);
    CHECK(h.redis.count_of("EVALSHA") == 1);
}

TEST_CASE("channel_bus: the inbox is nobody's subscription: no PUBLISH waits for it or is corrected by it") {
    session_harness h;
    knows_scripts(h);
    h.core->layer_store->bus.start(1);
    h.turn();
    CHECK(!h.core->process.registry.any_subscribed());
    CHECK(!h.core->process.registry.any_pending());
}

TEST_CASE("channel_bus: a heartbeat goes out each second") {
    session_harness h;
    knows_scripts(h);
    h.core->layer_store->bus.start(1);
    h.pass_slowly(milliseconds(100));
    const int before = h.redis.count_of("EVALSHA");
    h.pass_slowly(milliseconds(3'000));
    CHECK(h.redis.count_of("EVALSHA") - before == 3);
}

TEST_CASE("channel_bus: after the subscription's connection was lost it subscribes and registers again") {
    session_harness h;
    knows_scripts(h);
    h.core->layer_store->bus.start(1);
    h.pass_slowly(milliseconds(50));
    h.lose_links(link_lane::subscription);
    const int before = h.redis.count_of("EVALSHA");
    h.pass_slowly(milliseconds(500));
    CHECK(listeners(h, inbox) == 1);
    CHECK(h.redis.count_of("EVALSHA") == before + 1);
}

TEST_CASE("channel_bus: what cannot be read is counted, and dropped") {
    session_harness h;
    knows_scripts(h);
    h.core->layer_store->bus.start(1);
    h.turn();
    h.redis.publish(inbox, "no message");
    h.turn();
    CHECK(h.count().channel_node_messages == 1);
    CHECK(h.count().channel_node_messages_unreadable == 1);
}

TEST_CASE("channel_bus: a client that listens to every name does not see the inboxes") {
    session_harness h;
    knows_scripts(h);
    auto& client = h.connect();
    h.ask(client, {"PSUBSCRIBE", "*"});
    h.core->layer_store->bus.start(1);
    h.turn();
    h.redis.publish(inbox, "between nodes");
    h.redis.publish("news", "for all");
    h.turn();
    const std::string seen = session_harness::take(client);
    CHECK(seen.find("for all") != std::string::npos);
    CHECK(seen.find("between nodes") == std::string::npos);
}
