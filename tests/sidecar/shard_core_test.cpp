#include "sidecar/core/shard_core.hpp"

#include "tests/sidecar/session_harness.hpp"

using namespace tests;

namespace {

std::string joined(std::initializer_list<std::initializer_list<std::string_view>> commands) {
    std::string out;
    for (const auto& c : commands) out += resp::command(c);
    return out;
}

}  // namespace

TEST_CASE("databases of one instance share its control connection, not their links") {
    session_harness h;
    auto& a = h.connect();
    auto& b = h.connect();
    (void)h.ask(a, {"PING"});
    h.send(b, joined({{"SELECT", "2"}, {"PING"}}));
    CHECK(h.core->upstreams().size() == 1);
    CHECK(h.connections(link_lane::control) == 1);
    CHECK(h.connections(link_lane::main) >= 2);
}

TEST_CASE("one instance per database") {
    config settings = session_harness::relaxed();
    settings.redis[1].port = 1111;
    settings.redis[2].port = 2222;
    session_harness h(settings);
    CHECK(h.core->upstreams().size() == 3);
    CHECK(&h.core->upstream_of(0) != &h.core->upstream_of(1));
    CHECK(&h.core->upstream_of(5) == &h.core->upstream_of(0));
    CHECK(h.connections(link_lane::control) == 3);
}

TEST_CASE("a closed session is forgotten once its socket and its replies have let go") {
    session_harness h;
    for (int i = 0; i < 50; ++i) {
        auto& client = h.connect();
        (void)h.ask(client, {"PING"});
        h.breaks(client);
    }
    CHECK(h.core->session_count() == 0);
    CHECK(h.core->snapshot().now.clients == 0);
    CHECK(h.core->snapshot().count.clients_accepted == 50);
}

TEST_CASE("the snapshot tells of clients, links and leases") {
    session_harness h;
    auto& a = h.connect();
    auto& b = h.connect();
    auto& c = h.connect();
    (void)h.ask(a, {"SUBSCRIBE", "x", "y"});
    (void)h.ask(b, {"BLPOP", "q", "0"});
    (void)h.ask(c, {"MULTI"});
    const auto now = h.core->snapshot().now;
    CHECK(now.clients == 3);
    CHECK(now.clients_subscribed == 1);
    CHECK(now.clients_blocked == 1);
    CHECK(now.clients_leased == 1);
    CHECK(now.leases_in_use == 2);
    CHECK(now.channels == 2);
    CHECK(h.core->snapshot().upstream_up[0] == 1);
}

TEST_CASE("commands and errors are counted by db and name") {
    session_harness h;
    auto& client = h.connect();
    h.send(client, joined({{"GET", "k"}, {"GET"}, {"SELECT", "1"}, {"GET", "k"}}));
    const auto* get = h.core->commands.find("get");
    CHECK(h.core->stats.of(0, get->index).calls == 2);
    CHECK(h.core->stats.of(0, get->index).errors == 1);
    CHECK(h.core->stats.of(1, get->index).calls == 1);
    CHECK(h.core->stats.of(0, get->index).answered == 2);
}

TEST_CASE("the slow log has the client's own address") {
    session_harness h;
    auto& client = h.connect();
    (void)h.ask(client, {"PING"});
    h.answers = false;
    h.command(client, {"GET", "slow-key"});
    h.pass(milliseconds(50));
    h.answers = true;
    h.turn();
    REQUIRE(h.core->slow.entries().size() == 1);
    const auto& entry = h.core->slow.entries().front();
    CHECK(entry.args == words{"GET", "slow-key"});
    CHECK(entry.client_address == "10.0.0.1:50000");
    CHECK(entry.duration_us >= 50'000);
}

TEST_CASE("a reload keeps clients, drops those whose user is gone") {
    config settings = session_harness::relaxed();
    settings.password = "secret";
    user_settings named;
    named.name = "celery";
    named.sha256_hex = sha256_hex("pw");
    settings.users.push_back(named);
    session_harness h(settings);
    auto& a = h.connect();
    auto& b = h.connect();
    (void)h.ask(a, {"AUTH", "secret"});
    (void)h.ask(b, {"AUTH", "celery", "pw"});
    settings.users.clear();
    const auto fresh = std::make_shared<const runtime>(settings);
    h.core->reload(fresh);
    h.turn();
    CHECK(b.closed);
    CHECK(h.ask(a, {"PING"}) == "+PONG\r\n");
}
