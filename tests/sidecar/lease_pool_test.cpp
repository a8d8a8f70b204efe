#include "sidecar/core/lease_pool.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

using namespace sidecar;

namespace {

using sidecar::link;  // not the system call

struct silent_events final : link_events {
    void on_link_dirty(link&) override {}
    void on_link_ready(link&) override {}
    void on_link_down(link&, link_fall, std::string_view, handshake_state) override {}
    void on_link_push(link&, std::string_view) override {}
    void on_link_pushes_end(link&) override {}
    bool on_link_unsolicited(link&, std::string_view) override { return false; }
    void on_link_answer(link&, const upstream_entry&, std::string_view) override {}
};

struct waiter final : lease_waiter {
    link* got = nullptr;
    void on_lease(link& lease) override { got = &lease; }
};

link_key key(int db) {
    link_key k;
    k.database = static_cast<std::uint8_t>(db);
    k.lane = link_lane::lease;
    return k;
}

void make_ready(link& l) {
    l.open_now();
    l.on_opening();
    l.on_open();
    l.on_bytes(":1\r\n+PONG\r\n");
    REQUIRE(l.ready());
}

void close(link& l, time_point now) {
    l.on_closed("test", now);
}

struct fixture {
    silent_events events;
    int made = 0;
    lease_pool pool;
    time_point now{std::chrono::seconds(100)};

    explicit fixture(std::size_t max, std::size_t reserved = 0)
        : pool(max, reserved, [this](const link_key& k) {
              ++made;
              return std::make_unique<link>(k, handshake_settings{}, events, 1);
          }) {}

    link* take(int db = 0, lease_class use = lease_class::ordinary) {
        link* l = pool.take(key(db), use);
        if (l != nullptr && !l->ready()) make_ready(*l);
        return l;
    }
};

}  // namespace

TEST_CASE("a clean lease is used again by the same kind of client only") {
    fixture f(4);
    auto* first = f.take(0);
    REQUIRE(first != nullptr);
    CHECK(f.pool.in_use() == 1);
    f.pool.give_back(*first, f.now);
    CHECK(f.pool.in_use() == 0);
    CHECK(f.pool.idle() == 1);
    CHECK(f.take(1) != first);
    CHECK(f.take(0) == first);
    CHECK(f.made == 2);
}

TEST_CASE("a lease with work or without connection is not kept") {
    fixture f(4);
    auto* busy = f.take();
    busy->submit(upstream_entry{}, "GET");
    f.pool.give_back(*busy, f.now);
    CHECK(busy->retired());
    auto* down = f.take();
    close(*down, f.now);
    f.pool.give_back(*down, f.now);
    CHECK(down->retired());
    auto* destroyed = f.take();
    f.pool.destroy(*destroyed);
    CHECK(destroyed->retired());
    CHECK(f.pool.idle() == 0);
    CHECK(f.pool.in_use() == 0);
}

TEST_CASE("the bound holds and idle leases of another kind make room") {
    fixture f(2);
    auto* a = f.take(0);
    auto* b = f.take(0);
    CHECK(f.take(0) == nullptr);
    f.pool.give_back(*a, f.now);
    auto* c = f.take(1);
    REQUIRE(c != nullptr);
    CHECK(a->retired());
    CHECK(f.pool.in_use() == 2);
    CHECK(f.take(1) == nullptr);
    f.pool.give_back(*b, f.now);
    f.pool.give_back(*c, f.now);
    CHECK(f.pool.idle() == 2);
}

TEST_CASE("blocking calls leave the reserved leases alone") {
    fixture f(4, 2);
    CHECK(f.take(0, lease_class::blocking) != nullptr);
    CHECK(f.take(0, lease_class::blocking) != nullptr);
    CHECK(f.take(0, lease_class::blocking) == nullptr);
    CHECK(f.take(0, lease_class::ordinary) != nullptr);
    CHECK(f.take(0, lease_class::ordinary) != nullptr);
    CHECK(f.take(0, lease_class::ordinary) == nullptr);
}

TEST_CASE("a reserve larger than the pool still lets one blocking call through") {
    fixture f(1, 64);
    CHECK(f.take(0, lease_class::blocking) != nullptr);
}

TEST_CASE("waiters are served in order of arrival and nobody overtakes them") {
    fixture f(1);
    auto* a = f.take();
    waiter first;
    waiter second;
    f.pool.wait(key(0), lease_class::ordinary, first);
    f.pool.wait(key(0), lease_class::ordinary, second);
    f.pool.serve_waiters();
    CHECK(first.got == nullptr);
    f.pool.give_back(*a, f.now);
    CHECK(f.take() == nullptr);  // others wait
    f.pool.serve_waiters();
    CHECK(first.got == a);
    CHECK(second.got == nullptr);
    CHECK(f.pool.waiting() == 1);
    f.pool.destroy(*first.got);
    f.pool.serve_waiters();
    REQUIRE(second.got != nullptr);
    CHECK(second.got != a);
    CHECK(f.pool.waiting() == 0);
}

TEST_CASE("a transaction is not kept waiting behind a thousand blocking calls") {
    fixture f(3, 1);
    (void)f.take(0, lease_class::blocking);
    (void)f.take(0, lease_class::blocking);
    std::vector<waiter> parked(1000);
    for (auto& w : parked) f.pool.wait(key(0), lease_class::blocking, w);
    waiter transaction;
    auto* reserve = f.take(0);
    REQUIRE(reserve != nullptr);
    f.pool.wait(key(0), lease_class::ordinary, transaction);
    f.pool.serve_waiters();
    CHECK(transaction.got == nullptr);
    f.pool.give_back(*reserve, f.now);
    f.pool.serve_waiters();
    CHECK(transaction.got == reserve);
    CHECK(std::none_of(parked.begin(), parked.end(), [](const waiter& w) { return w.got != nullptr; }));
}

TEST_CASE("who stops waiting is not served") {
    fixture f(1);
    auto* a = f.take();
    waiter first;
    waiter second;
    f.pool.wait(key(0), lease_class::blocking, first);
    f.pool.wait(key(0), lease_class::blocking, second);
    f.pool.stop_waiting(first);
    f.pool.give_back(*a, f.now);
    f.pool.serve_waiters();
    CHECK(first.got == nullptr);
    CHECK(second.got == a);
}

TEST_CASE("idle leases are closed after a while and forgotten once closed") {
    fixture f(4);
    auto* a = f.take();
    auto* b = f.take();
    f.pool.give_back(*a, f.now);
    f.pool.give_back(*b, f.now + std::chrono::seconds(20));
    f.pool.tidy(f.now + std::chrono::seconds(31), 4);
    CHECK(f.pool.idle() == 1);
    CHECK(a->retired());
    int known = 0;
    f.pool.each([&](auto&) { ++known; });
    CHECK(known == 2);  // its connection is still there
    close(*a, f.now);
    f.pool.tidy(f.now + std::chrono::seconds(31), 4);
    known = 0;
    f.pool.each([&](auto&) { ++known; });
    CHECK(known == 1);
}

TEST_CASE("an idle lease whose connection was lost is dropped") {
    fixture f(4);
    auto* a = f.take();
    f.pool.give_back(*a, f.now);
    close(*a, f.now);
    f.pool.tidy(f.now, 4);
    CHECK(f.pool.idle() == 0);
}

TEST_CASE("what a burst left behind closes soon, the leases used last stay warm") {
    fixture f(8);
    std::vector<sidecar::link*> burst;
    for (int i = 0; i < 6; ++i) burst.push_back(f.take());
    for (auto* l : burst) f.pool.give_back(*l, f.now);
    for (int i = 1; i <= 20; ++i) {
        auto* used = f.take();
        CHECK(used == burst.back());
        f.pool.give_back(*used, f.now + std::chrono::milliseconds(100 * i));
    }
    f.pool.tidy(f.now + std::chrono::milliseconds(2'100), 2);
    CHECK(f.pool.idle() == 2);
    CHECK_FALSE(burst.back()->retired());
}
