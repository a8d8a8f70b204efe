// Bounds on clients nobody knows yet, and on those that keep a lease without using it.
#include "tests/sidecar/session_harness.hpp"

using namespace tests;
using std::chrono::seconds;

namespace {

config with_password() {
    config settings = session_harness::relaxed();
    settings.password = "secret";
    settings.auth_timeout = seconds(10);
    return settings;
}

config with_leases(std::uint32_t count) {
    config settings = session_harness::relaxed();
    settings.leases_max = count;
    return settings;
}

}  // namespace

TEST_CASE("a client that does not authenticate in time is closed, one that did is not") {
    session_harness h(with_password());
    auto& silent = h.connect();
    auto& failing = h.connect();
    auto& good = h.connect();
    CHECK(h.ask(good, {"AUTH", "secret"}) == "+OK\r\n");
    h.pass(seconds(9));
    CHECK(h.ask(failing, {"AUTH", "guess"}).substr(0, 10) == "-WRONGPASS");
    CHECK(h.core->snapshot().now.clients_unauthenticated == 2);
    h.pass(seconds(1));
    CHECK(silent.closed);
    CHECK(failing.closed);
    CHECK_FALSE(good.closed);
    CHECK(h.count().clients_closed_auth_timeout == 2);
    CHECK(h.core->snapshot().now.clients_unauthenticated == 0);
}

TEST_CASE("without a password, or without the limit, nobody is in a hurry") {
    config unlimited = with_password();
    unlimited.auth_timeout = seconds(0);
    for (const config& settings : {session_harness::relaxed(), unlimited}) {
        session_harness h(settings);
        auto& client = h.connect();
        h.pass(seconds(3'600));
        CHECK_FALSE(client.closed);
        CHECK(h.count().clients_closed_auth_timeout == 0);
    }
}

TEST_CASE("an unfinished TLS handshake is bounded and counted, also where no password is asked for") {
    session_harness h;
    auto& stalled = h.connect(true);
    auto& abandoned = h.connect(true);
    auto& good = h.connect(true);
    good.side->on_handshake_done();
    h.breaks(abandoned);
    CHECK(h.count().tls_handshakes_failed == 1);
    CHECK(h.core->snapshot().now.clients_unauthenticated == 1);
    h.pass(seconds(11));
    CHECK(stalled.closed);
    CHECK(h.count().tls_handshakes_failed == 2);
    CHECK(h.count().clients_closed_auth_timeout == 1);
    CHECK(h.ask(good, {"PING"}) == "+PONG\r\n");
}

TEST_CASE("after its handshake a TLS client still has to authenticate") {
    session_harness h(with_password());
    auto& client = h.connect(true);
    client.side->on_handshake_done();
    CHECK(h.core->snapshot().now.clients_unauthenticated == 1);
    h.pass(seconds(11));
    CHECK(client.closed);
    CHECK(h.count().tls_handshakes_failed == 0);
}

TEST_CASE("where there is no room the stranger that came first goes, unless it has just come") {
    session_harness h(with_password());
    auto& known = h.connect();
    auto& first = h.connect();
    auto& second = h.connect();
    (void)h.ask(known, {"AUTH", "secret"});
    CHECK_FALSE(h.core->make_room());
    h.pass(seconds(1));
    CHECK(h.core->make_room());
    h.turn();
    CHECK(first.closed);
    CHECK_FALSE(second.closed);
    CHECK(h.core->make_room());
    CHECK_FALSE(h.core->make_room());
    h.turn();
    CHECK_FALSE(known.closed);
    CHECK(h.count().clients_closed_for_room == 2);
}

TEST_CASE("a transaction that is open and idle gives its connection up when somebody waits for it") {
    for (const std::string_view opening : {"WATCH", "MULTI"}) {
        session_harness h(with_leases(2));
        auto& older = h.connect();
        auto& younger = h.connect();
        const auto open = [&](test_client& client) {
            if (opening == "WATCH") return h.ask(client, {"WATCH", "k"});
            return h.ask(client, {"MULTI"});
        };
        CHECK(open(older) == "+OK\r\n");
        h.pass(milliseconds(100));
        CHECK(open(younger) == "+OK\r\n");
        h.pass(seconds(60));
        CHECK_FALSE(older.closed);
        auto& waiting = h.connect();
        CHECK(open(waiting).empty());
        h.pass_slowly(milliseconds(200));
        CHECK(older.closed);
        CHECK_FALSE(younger.closed);
        CHECK(h.take(waiting) == "+OK\r\n");
        CHECK(h.count().clients_closed_idle_lease == 1);
    }
}

TEST_CASE("a transaction in use keeps its connection whoever waits") {
    session_harness h(with_leases(1));
    auto& busy = h.connect();
    CHECK(h.ask(busy, {"WATCH", "k"}) == "+OK\r\n");
    auto& waiting = h.connect();
    h.command(waiting, {"WATCH", "k"});
    for (int i = 0; i < 25; ++i) {
        h.pass(milliseconds(100));
        CHECK(h.ask(busy, {"GET", "k"}) == "$-1\r\n");
    }
    CHECK_FALSE(busy.closed);
    CHECK(h.take(waiting).empty());
    CHECK(h.ask(busy, {"UNWATCH"}) == "+OK\r\n");
    CHECK(h.take(waiting) == "+OK\r\n");
}

TEST_CASE("clients that track leave leases for transactions") {
    session_harness h(with_leases(4));
    std::vector<test_client*> trackers;
    for (int i = 0; i < 8; ++i) {
        trackers.push_back(&h.connect());
        (void)h.ask(*trackers.back(), {"HELLO", "3"});
        h.command(*trackers.back(), {"CLIENT", "TRACKING", "ON"});
    }
    auto& other = h.connect();
    CHECK(h.ask(other, {"WATCH", "k"}) == "+OK\r\n");
}
