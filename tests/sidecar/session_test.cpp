#include "sidecar/core/session.hpp"

#include "tests/sidecar/session_harness.hpp"
#include "tests/support/fragments.hpp"

using namespace tests;

namespace {

// Everything a client says, cut in every way, must lead to the same bytes.
void expect(const std::string& input, const std::string& wanted,
            const config& settings = session_harness::relaxed()) {
    INFO(input);
    each_fragmentation(input, [&](const pieces& parts) {
        session_harness h(settings);
        auto& client = h.connect();
        for (const auto part : parts) h.send(client, part);
        CHECK(client.received == wanted);
    });
}

std::string joined(std::initializer_list<std::initializer_list<std::string_view>> commands) {
    std::string out;
    for (const auto& c : commands) out += resp::command(c);
    return out;
}

}  // namespace

TEST_CASE("a data command comes back with upstream's answer") {
    expect(joined({{"SET", "k", "v"}, {"GET", "k"}, {"GET", "none"}, {"GET"}, {"INCR", "n"}}),
           "+OK\r\n$1\r\nv\r\n$-1\r\n-ERR wrong number of arguments for 'get' command\r\n:1\r\n");
}

TEST_CASE("local and upstream replies keep the order of the commands") {
    expect(joined({{"SET", "k", "v"},
                   {"CLIENT", "GETNAME"},
                   {"GET", "k"},
                   {"CLIENT", "SETNAME", "me"},
                   {"CLIENT", "GETNAME"},
                   {"PING"},
                   {"SELECT", "0"},
                   {"GET", "k"},
                   {"EXEC"},
                   {"INCR", "n"}}),
           "+OK\r\n$-1\r\n$1\r\nv\r\n+OK\r\n$2\r\nme\r\n+PONG\r\n+OK\r\n$1\r\nv\r\n-ERR EXEC without "
           "MULTI\r\n:1\r\n");
}

TEST_CASE("inline commands, empty lines and empty frames") {
    expect("PING\r\n\r\n*0\r\nSET k \"a b\"\r\n*-1\r\nGET k\r\n", "+PONG\r\n+OK\r\n$3\r\na b\r\n");
}

TEST_CASE("an unknown command is worded by upstream") {
    expect(joined({{"NOPE", "x"}, {"PING"}}),
           "-ERR unknown command 'NOPE', with args beginning with: \r\n+PONG\r\n");
}

TEST_CASE("a protocol error is answered after what came before it, then the connection ends") {
    each_fragmentation(resp::command({"PING"}) + "*1\r\n$x\r\n" + resp::command({"PING"}),
                       [](const pieces& parts) {
                           session_harness h;
                           auto& client = h.connect();
                           for (const auto part : parts) h.send(client, part);
                           CHECK(client.received == "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n");
                           CHECK(client.closed);
                           CHECK(h.count().protocol_errors == 1);
                       });
}

TEST_CASE("words of HTTP end the connection") {
    session_harness h;
    auto& client = h.connect();
    h.send(client, "POST / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.closed);
    CHECK(client.received.empty());
}

TEST_CASE("a deep pipeline of one client") {
    session_harness h;
    auto& client = h.connect();
    std::string input;
    std::string wanted;
    for (int i = 0; i < 30'000; ++i) {
        const std::string text = std::to_string(i);
        input += resp::command({"ECHO", text});
        resp::append_bulk(wanted, text);
    }
    h.answers = false;
    h.send(client, input);
    CHECK(client.side->stalled() == stall::backpressure);
    CHECK(client.side->in_flight() == 20'000);
    h.answers = true;
    h.turn();
    CHECK((client.received == wanted));
    CHECK(h.count().backpressure_stalls >= 1);
}

TEST_CASE("replies go on their way in pieces, never mixed with another client's") {
    session_harness h;
    auto& a = h.connect();
    auto& b = h.connect();
    h.answers = false;
    const std::string value(50, 'x');
    h.send(a, joined({{"SET", "k", value}, {"GET", "k"}}));
    h.send(b, joined({{"ECHO", "b"}, {"GET", "k"}}));
    const std::string bulk = "$50\r\n" + value + "\r\n";
    const std::string all = "+OK\r\n" + bulk + "$1\r\nb\r\n" + bulk;
    for (std::size_t i = 1; i <= all.size(); ++i) {
        h.deliver(1);
        CHECK(a.received + b.received == all.substr(0, i));
    }
    CHECK(a.received == "+OK\r\n" + bulk);
}

// --- the end of a client

TEST_CASE("half-close: what was sent before the end is still answered") {
    session_harness h;
    auto& client = h.connect();
    h.answers = false;
    h.send(client, joined({{"SET", "k", "v"}, {"GET", "k"}}) + "*1\r\n$4\r\nPI");
    h.end_of_stream(client);
    CHECK_FALSE(client.closed);
    h.deliver();
    CHECK(client.received == "+OK\r\n$1\r\nv\r\n");
    CHECK(client.closed);
}

// Found by session_fuzz: what came before WAIT was answered in the turn in which WAIT would have begun to
// wait.
TEST_CASE("half-close: who would begin to wait gets the replies to what came before, and is over") {
    session_harness h;
    auto& client = h.connect();
    h.answers = false;
    const std::string before = joined({{"SET", "k", "v"}, {"GET", "k"}});
    std::string answered = "+OK\r\n$1\r\nv\r\n";
    SECTION("WAIT") {
        h.send(client, before + joined({{"WAIT", "0", "0"}, {"GET", "k"}}));
    }
    SECTION("WAIT while keys are watched") {
        h.send(client, before + joined({{"WATCH", "k"}, {"WAIT", "0", "0"}}));
        answered += "+OK\r\n";
    }
    SECTION("a blocking pop while keys are watched") {
        h.send(client, before + joined({{"WATCH", "k"}, {"BLPOP", "q", "0"}}));
        answered += "+OK\r\n";
    }
    h.end_of_stream(client);
    CHECK_FALSE(client.closed);
    h.answers = true;
    h.turn();
    CHECK(client.received == answered);
    CHECK(client.closed);
    CHECK(h.core->leases.in_use() == 0);
}

TEST_CASE("a client that breaks with commands in flight costs the others nothing") {
    session_harness h;
    auto& a = h.connect();
    auto& b = h.connect();
    h.answers = false;
    h.send(a, joined({{"ECHO", "a"}, {"ECHO", "aa"}}));
    h.send(b, joined({{"ECHO", "b"}}));
    h.breaks(a);
    CHECK(a.closed);
    CHECK(h.core->session_count() == 2);  // until its replies have come
    h.deliver();
    CHECK(b.received == "$1\r\nb\r\n");
    CHECK(a.received.empty());
    CHECK(h.core->session_count() == 1);
}

TEST_CASE("a client that does not read is closed at the limit, others are served") {
    config settings = session_harness::relaxed();
    settings.client_output_bytes_max = 1U << 20;
    session_harness h(settings);
    auto& lazy = h.connect();
    auto& other = h.connect();
    lazy.reads = false;
    h.redis.strings["big"] = std::string(100'000, 'x');
    for (int i = 0; i < 40 && !lazy.closed; ++i) {
        h.command(lazy, {"GET", "big"});
        h.pass(milliseconds(100));
    }
    for (int i = 0; i < 20 && !lazy.closed; ++i) h.pass(milliseconds(500));
    CHECK(h.ask(other, {"PING"}) == "+PONG\r\n");
    CHECK(h.core->snapshot().now.output_bytes <= settings.client_output_bytes_max + 200'000);
}

// --- several clients on one link

TEST_CASE("four clients over one link, every fragmentation of their bytes") {
    const std::vector<std::string> scripts{joined({{"SET", "a", "1"}, {"GET", "a"}, {"ECHO", "a"}}),
                                           joined({{"ECHO", "b1"}, {"PING"}, {"ECHO", "b2"}}),
                                           joined({{"MULTI"}, {"ECHO", "c"}, {"INCR", "c"}, {"EXEC"}}),
                                           "PING\r\nECHO d\r\n"};
    const std::vector<std::string> wanted{
        "+OK\r\n$1\r\n1\r\n$1\r\na\r\n", "$2\r\nb1\r\n+PONG\r\n$2\r\nb2\r\n",
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$1\r\nc\r\n:1\r\n", "+PONG\r\n$1\r\nd\r\n"};
    for (const std::size_t input_size : piece_sizes)
        for (const std::size_t reply_size : piece_sizes) {
            INFO("input in " << input_size << ", replies in " << reply_size);
            session_harness h;
            h.answers = false;
            std::vector<test_client*> clients;
            std::vector<pieces> inputs;
            for (const auto& script : scripts) {
                clients.push_back(&h.connect());
                inputs.push_back(cut(script, input_size));
            }
            for (std::size_t i = 0; i < 200; ++i)
                for (std::size_t c = 0; c < 4; ++c) {
                    if (i < inputs[c].size()) h.send(*clients[c], inputs[c][i]);
                    h.deliver(reply_size);
                }
            for (std::size_t c = 0; c < 4; ++c) CHECK(clients[c]->received == wanted[c]);
            CHECK(h.connections(link_lane::main) == 3);  // one per db
        }
}

namespace {

// All orders of the steps of several actors in which each actor's own steps stay in order.
template <class Run>
int each_interleaving(std::vector<int> steps_of_actor, Run&& run) {
    std::vector<int> order;
    for (std::size_t actor = 0; actor < steps_of_actor.size(); ++actor)
        order.insert(order.end(), static_cast<std::size_t>(steps_of_actor[actor]), static_cast<int>(actor));
    int count = 0;
    do {
        run(order);
        ++count;
    } while (std::next_permutation(order.begin(), order.end()));
    return count;
}

}  // namespace

TEST_CASE("all interleavings of two clients and upstream's replies") {
    const std::vector<std::vector<std::string>> steps{
        {joined({{"ECHO", "a1"}}), joined({{"CLIENT", "GETNAME"}}), joined({{"ECHO", "a3"}})},
        {joined({{"ECHO", "b1"}}), joined({{"CLIENT", "SETNAME", "b"}, {"ECHO", "b3"}})}};
    const int cases = each_interleaving({3, 2, 4}, [&](const std::vector<int>& order) {
        session_harness h;
        h.answers = false;
        auto& a = h.connect();
        auto& b = h.connect();
        std::size_t next[2] = {0, 0};
        for (const int actor : order) {
            if (actor == 2) {
                h.deliver(5);
            } else {
                const auto at = static_cast<std::size_t>(actor);
                h.send(actor == 0 ? a : b, steps[at][next[at]++]);
            }
        }
        h.deliver();
        CHECK(a.received == "$2\r\na1\r\n$-1\r\n$2\r\na3\r\n");
        CHECK(b.received == "$2\r\nb1\r\n+OK\r\n$2\r\nb3\r\n");
    });
    CHECK(cases == 1260);
}

// Found by session_fuzz: it stood in a blocking call, or subscribed, for ever.
TEST_CASE("a client that has sent its last byte does not begin to wait") {
    for (const auto& last : {resp::command({"BLPOP", "q", "0"}), resp::command({"SUBSCRIBE", "c"})}) {
        session_harness h;
        h.answers = false;
        auto& client = h.connect();
        h.send(client, resp::command({"ECHO", "a"}) + last);
        h.end_of_stream(client);
        CHECK_FALSE(client.closed);
        h.deliver();
        CHECK(client.received == "$1\r\na\r\n");
        CHECK(client.closed);
        h.pass(milliseconds(100));
        CHECK(h.core->session_count() == 0);
        CHECK(h.core->leases.in_use() == 0);
    }
}

// One client ends at any moment of the exchange, in any of the three ways, and the other notices nothing.
TEST_CASE("all interleavings with a client that goes away") {
    for (int way = 0; way < 3; ++way)
        each_interleaving({2, 2, 1, 3}, [&](const std::vector<int>& order) {
            session_harness h;
            h.answers = false;
            auto& a = h.connect();
            auto& b = h.connect();
            int sent = 0;
            for (const int actor : order) {
                if (actor == 0) h.send(a, resp::command({"ECHO", "aa"}));
                if (actor == 1) h.send(b, resp::command({"ECHO", "b" + std::to_string(++sent)}));
                if (actor == 2 && way == 0) h.breaks(a);
                if (actor == 2 && way == 1) h.end_of_stream(a);
                if (actor == 2 && way == 2) h.command(a, {"QUIT"});
                if (actor == 3) h.deliver(3);
            }
            h.deliver();
            CHECK(b.received == "$2\r\nb1\r\n$2\r\nb2\r\n");
            CHECK(a.closed);
            CHECK(std::string("$2\r\naa\r\n$2\r\naa\r\n+OK\r\n").find(a.received.substr(0, 8)) !=
                  std::string::npos);
            CHECK(h.core->session_count() == 1);
        });
}
