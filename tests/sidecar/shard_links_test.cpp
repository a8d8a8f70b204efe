#include "tests/sidecar/session_harness.hpp"

using namespace tests;

namespace {

link_key key_of(session_harness& h, int db, int protocol, link_lane lane) {
    return h.core->key_for(db, protocol, link_role::full, lane);
}

std::size_t open_links(session_harness& h) {
    std::size_t count = 0;
    for (const auto lane : {link_lane::main, link_lane::bulk, link_lane::subscription, link_lane::control})
        count += h.connections(lane);
    return count;
}

// A client on every db in both protocols, each with a command under way.
void occupy_all(session_harness& h) {
    h.answers = false;
    for (const auto* protocol : {"2", "3"})
        for (const auto* db : {"0", "1", "2"}) {
            auto& client = h.connect();
            h.command(client, {"HELLO", protocol});
            h.command(client, {"SELECT", db});
            h.command(client, {"GET", "k"});
        }
}

}  // namespace

TEST_CASE("links that only some clients need close when unused, the others stay") {
    session_harness h;
    auto& client = h.connect();
    h.command(client, {"HELLO", "3"});
    CHECK(h.ask(client, {"GET", "k"}).ends_with("_\r\n"));
    h.core->shared_link(key_of(h, 2, 2, link_lane::bulk)).open_now();
    h.turn();
    CHECK(h.connections(link_lane::main) == 4);
    CHECK(h.connections(link_lane::bulk) == 1);
    for (int i = 0; i < 5; ++i) {
        h.pass(std::chrono::seconds(3));
        CHECK(h.ask(client, {"GET", "k"}) == "_\r\n");
    }
    CHECK(h.connections(link_lane::main) == 4);  // in use
    CHECK(h.connections(link_lane::bulk) == 0);
    for (int i = 0; i < 5; ++i) h.pass(std::chrono::seconds(3));
    CHECK(h.connections(link_lane::main) == 3);
    CHECK(h.ask(client, {"GET", "k"}) == "_\r\n");
    CHECK(h.connections(link_lane::main) == 4);
}

TEST_CASE("a shard opens at most eight links; a bulk client goes without its lane then") {
    session_harness h;
    occupy_all(h);
    CHECK(open_links(h) == 8);
    h.pass(std::chrono::seconds(1));
    auto& given = h.core->shared_link(key_of(h, 0, 2, link_lane::bulk));
    CHECK(given.key().lane == link_lane::main);
    CHECK(given.key().database == 0);
    h.turn();
    CHECK(open_links(h) == 8);
}

TEST_CASE("a bulk link makes room for a main link, at once when unused and else when idle") {
    session_harness h;
    for (const auto* db : {"0", "1", "2"}) {
        auto& given = h.core->shared_link(key_of(h, std::stoi(db), 2, link_lane::bulk));
        CHECK(given.key().lane == link_lane::bulk);
        given.open_now();
    }
    h.turn();
    CHECK(open_links(h) == 8);
    occupy_all(h);
    CHECK(h.connections(link_lane::main) == 6);
    CHECK(open_links(h) == 11);
    h.answers = true;
    h.turn();
    h.pass(milliseconds(100));
    CHECK(open_links(h) == 8);
    CHECK(h.connections(link_lane::bulk) == 0);
}

TEST_CASE("a client that changes its lane keeps its order") {
    session_harness h;
    const std::string large(2U << 20, 'x');
    h.redis.strings["large"] = large;
    h.redis.strings["small"] = "s";
    std::string large_reply;
    resp::append_bulk(large_reply, large);
    auto& client = h.connect();
    CHECK(h.ask(client, {"GET", "large"}) == large_reply);
    h.forget_seen();
    // From here on a bulk client, and after a thousand small replies an ordinary one again.
    for (int round = 0; round < 2; ++round) {
        h.answers = false;
        std::string commands;
        std::string wanted;
        for (int i = 0; i < 1'200; ++i) {
            commands += resp::command({"INCR", "n"}) + resp::command({"GET", "small"});
            wanted += ":" + std::to_string(round * 1'200 + i + 1) + "\r\n$1\r\ns\r\n";
        }
        h.send(client, commands);
        h.answers = true;
        h.turn();
        CHECK(h.take(client) == wanted);
    }
    CHECK(h.seen_on(link_lane::bulk).find("INCR") != std::string::npos);
    CHECK(h.seen_on(link_lane::main).find("INCR") != std::string::npos);
}
