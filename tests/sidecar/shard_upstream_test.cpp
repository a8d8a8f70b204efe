#include "tests/sidecar/session_harness.hpp"
#include "tests/support/fragments.hpp"

using namespace tests;

namespace {

std::string joined(std::initializer_list<std::initializer_list<std::string_view>> commands) {
    std::string out;
    for (const auto& c : commands) out += resp::command(c);
    return out;
}

}  // namespace

TEST_CASE("a read that was under way is asked once more, a write closes its client") {
    session_harness h;
    auto& reader = h.connect();
    auto& writer = h.connect();
    auto& idle = h.connect();
    h.redis.strings["k"] = "v";
    (void)h.ask(idle, {"PING"});
    h.answers = false;
    h.send(reader, joined({{"GET", "k"}, {"GET", "k"}}));
    h.send(writer, joined({{"GET", "k"}, {"INCR", "n"}, {"GET", "k"}}));
    h.lose_links(link_lane::main);
    h.answers = true;
    h.pass_slowly(milliseconds(1'100));
    CHECK(reader.received == "$1\r\nv\r\n$1\r\nv\r\n");
    CHECK_FALSE(reader.closed);
    CHECK(writer.closed);
    CHECK(writer.received.find("\r\n:") == std::string::npos);
    CHECK(h.redis.strings["n"] == "1");
    CHECK(h.redis.count_of("INCR") == 1);
    CHECK_FALSE(idle.closed);
    CHECK(h.count().clients_closed_unknown_outcome == 1);
    CHECK(h.count().reads_retried >= 2);
}

TEST_CASE("a read is not asked a third time") {
    session_harness h;
    auto& reader = h.connect();
    (void)h.ask(reader, {"PING"});
    h.answers = false;
    h.command(reader, {"GET", "k"});
    h.lose_links(link_lane::main);
    h.pass_slowly(milliseconds(1'100));
    CHECK_FALSE(reader.closed);
    CHECK(h.redis.count_of("GET") == 2);
    h.lose_links(link_lane::main);
    h.pass_slowly(milliseconds(1'100));
    CHECK(reader.closed);
    CHECK(h.redis.count_of("GET") == 2);
}

TEST_CASE("replies that had come before the loss are delivered, a reply in pieces is not repeated") {
    const std::string reply = "$4\r\nabcd\r\n";
    for (std::size_t read = 0; read <= 2 * reply.size(); ++read) {
        session_harness h;
        auto& client = h.connect();
        h.redis.strings["k"] = "abcd";
        (void)h.ask(client, {"PING"});
        h.answers = false;
        h.send(client, joined({{"GET", "k"}, {"GET", "k"}}));
        h.deliver(read);
        h.lose_links(link_lane::main);
        h.answers = true;
        h.pass_slowly(milliseconds(1'100));
        INFO("read " << read << ": " << client.received);
        if (read % reply.size() == 0) {
            CHECK(client.received == reply + reply);
            CHECK_FALSE(client.closed);
        } else {
            CHECK(client.closed);
            CHECK(client.received == (reply + reply).substr(0, read));
        }
    }
}

TEST_CASE("commands wait out a short absence of upstream") {
    session_harness h;
    auto& client = h.connect();
    (void)h.ask(client, {"PING"});
    h.reachable = false;
    h.lose_links();
    h.send(client, joined({{"SET", "k", "v"}, {"GET", "k"}}));
    h.pass_slowly(milliseconds(2'000));
    CHECK(client.received.empty());
    CHECK_FALSE(client.closed);
    h.reachable = true;
    h.pass_slowly(milliseconds(1'100));
    CHECK(client.received == "+OK\r\n$1\r\nv\r\n");
    CHECK(h.redis.count_of("SET") == 1);
}

TEST_CASE("the hold ends: clients that wait are closed, later ones at once, until upstream is back", "") {
    session_harness h;
    auto& waiting = h.connect();
    auto& idle = h.connect();
    (void)h.ask(waiting, {"PING"});
    (void)h.ask(idle, {"PING"});
    h.reachable = false;
    h.lose_links();
    h.send(waiting, joined({{"SET", "k", "v"}, {"GET", "k"}, {"GET", "k"}}));
    h.pass_slowly(milliseconds(2'900));
    CHECK_FALSE(waiting.closed);
    h.pass_slowly(milliseconds(300));
    CHECK(waiting.closed);
    CHECK(waiting.received.empty());
    CHECK(h.count().clients_closed_hold == 1);
    CHECK_FALSE(idle.closed);
    auto& late = h.connect();
    h.command(late, {"GET", "k"});
    CHECK(late.closed);
    auto& local = h.connect();
    CHECK(h.ask(local, {"CLIENT", "GETNAME"}) == "$-1\r\n");
    h.reachable = true;
    h.pass_slowly(milliseconds(1'100));
    auto& fresh = h.connect();
    CHECK(h.ask(fresh, {"GET", "k"}) == "$-1\r\n");
    CHECK(h.redis.count_of("SET") == 0);
}

TEST_CASE("commands of a client that left during the absence are not sent") {
    session_harness h;
    auto& gone = h.connect();
    auto& stays = h.connect();
    (void)h.ask(gone, {"PING"});
    h.reachable = false;
    h.lose_links();
    h.command(gone, {"SET", "gone", "1"});
    h.command(stays, {"SET", "stays", "1"});
    h.breaks(gone);
    h.reachable = true;
    h.pass_slowly(milliseconds(1'100));
    CHECK(h.redis.strings.count("gone") == 0);
    CHECK(stays.received == "+OK\r\n");
    CHECK(h.core->session_count() == 1);
}

TEST_CASE("a wrong password upstream is told to clients in words") {
    session_harness h;
    auto& client = h.connect();
    (void)h.ask(client, {"PING"});
    h.redis.scripted["HELLO"] = "-NOAUTH Authentication required.\r\n";
    h.redis.scripted["PING"] = "-NOAUTH Authentication required.\r\n";
    h.redis.scripted["CLIENT"] = "-NOAUTH Authentication required.\r\n";
    h.lose_links();
    h.pass_slowly(milliseconds(200));
    CHECK(h.ask(client, {"GET", "k"}) == "-WRONGPASS upstream refused the sidecar's password\r\n");
    CHECK_FALSE(client.closed);
    h.redis.scripted.clear();
    h.pass_slowly(milliseconds(300));
    CHECK(h.ask(client, {"GET", "k"}) == "$-1\r\n");
}

TEST_CASE("a refusal beside a control connection that was accepted is asked anew soon, not at once") {
    session_harness h;
    auto& client = h.connect();
    CHECK(h.ask(client, {"SELECT", "1"}) == "+OK\r\n");
    h.redis.scripted["SELECT"] = "-NOAUTH Authentication required.\r\n";  // said to the links of dbs 1 and 2
    h.lose_links(link_lane::main);
    h.pass_slowly(milliseconds(100));
    CHECK(h.ask(client, {"GET", "k"}) == "-WRONGPASS upstream refused the sidecar's password\r\n");
    const int asked = h.redis.count_of("SELECT");
    h.pass_slowly(milliseconds(1'000));
    const int asked_in_a_second = h.redis.count_of("SELECT") - asked;
    CHECK(asked_in_a_second >= 2 * 4);
    CHECK(asked_in_a_second <= 2 * 6);
    h.redis.scripted.clear();
    h.pass_slowly(milliseconds(300));
    CHECK(h.ask(client, {"GET", "k"}) == "$-1\r\n");
}

TEST_CASE("an upstream that is loading is waited for") {
    session_harness h;
    auto& client = h.connect();
    (void)h.ask(client, {"PING"});
    h.redis.scripted["HELLO"] = "-LOADING Redis is loading the dataset in memory\r\n";
    h.redis.scripted["PING"] = "-LOADING Redis is loading the dataset in memory\r\n";
    h.lose_links();
    h.command(client, {"SET", "k", "v"});
    h.pass_slowly(milliseconds(1'000));
    CHECK(client.received.empty());
    h.redis.scripted.clear();
    h.pass_slowly(milliseconds(1'100));
    CHECK(client.received == "+OK\r\n");
}

TEST_CASE("bytes that are no RESP end the link, not the shard") {
    session_harness h;
    auto& client = h.connect();
    auto& other = h.connect();
    (void)h.ask(client, {"PING"});
    h.redis.scripted["INCR"] = "nonsense\r\n";
    h.command(client, {"INCR", "n"});
    CHECK(client.closed);
    CHECK(client.received.empty());
    h.pass_slowly(milliseconds(1'100));
    CHECK(h.ask(other, {"PING"}) == "+PONG\r\n");
    CHECK(h.count().link_framing_errors == 1);
}

TEST_CASE("a lost lease closes the client that had state on it") {
    session_harness h;
    auto& watcher = h.connect();
    auto& typing = h.connect();
    auto& other = h.connect();
    (void)h.ask(watcher, {"WATCH", "k"});
    (void)h.ask(typing, {"MULTI"});
    h.lose_links(link_lane::lease);
    CHECK(watcher.closed);
    CHECK(typing.closed);
    CHECK(h.core->leases.in_use() == 0);
    CHECK(h.ask(other, {"PING"}) == "+PONG\r\n");
    CHECK(h.ask(other, {"MULTI"}) == "+OK\r\n");
}

// The link of two clients dies after any number of written and answered bytes; whatever a client receives is
// the beginning of what it would have received, and a write runs at most once.
TEST_CASE("two clients and a loss at every moment") {
    const std::string a_says = joined({{"INCR", "a"}, {"GET", "x"}});
    const std::string b_says = joined({{"GET", "x"}, {"INCR", "b"}});
    const std::string a_hears = ":1\r\n$1\r\nx\r\n";
    const std::string b_hears = "$1\r\nx\r\n:1\r\n";
    for (std::size_t written = 0; written <= a_says.size() + b_says.size(); ++written)
        for (std::size_t read = 0; read <= a_hears.size() + b_hears.size(); read += 1 + written % 3) {
            session_harness h;
            h.redis.strings["x"] = "x";
            auto& a = h.connect();
            auto& b = h.connect();
            (void)h.ask(a, {"PING"});
            h.answers = false;
            h.write_max = 0;
            h.send(a, a_says);
            h.send(b, b_says);
            h.write_max = written;
            for (auto* l : h.core->links()) h.core->on_link_dirty(*l);
            h.turn();
            h.write_max = 0;
            h.deliver(read);
            h.lose_links(link_lane::main);
            h.write_max = std::string::npos;
            h.answers = true;
            h.pass_slowly(milliseconds(1'100));
            INFO("written " << written << ", read " << read);
            CHECK(a_hears.rfind(a.received, 0) == 0);
            CHECK(b_hears.rfind(b.received, 0) == 0);
            CHECK((a.closed || a.received == a_hears));
            CHECK((b.closed || b.received == b_hears));
            CHECK(h.redis.count_of("INCR") <= 2);
            CHECK((h.redis.strings["a"].empty() || h.redis.strings["a"] == "1"));
            CHECK((h.redis.strings["b"].empty() || h.redis.strings["b"] == "1"));
        }
}

TEST_CASE("a long reply on a link is no reason to call upstream away") {
    session_harness h;
    h.redis.strings["large"] = std::string(100'000, 'x');
    auto& client = h.connect();
    h.answers = false;
    h.command(client, {"GET", "large"});
    for (int i = 0; i < 60; ++i) {
        h.pass(std::chrono::seconds(1));
        h.deliver(100);
        CHECK_FALSE(h.core->upstream_of(0).down_since.has_value());
    }
    CHECK(client.received.size() == 60 * 100);
    h.deliver();
    CHECK(client.received.size() > 100'000);
    CHECK(h.count().links_lost == 0);
}

TEST_CASE("an upstream that answers nothing any more is called away") {
    session_harness h;
    h.answers = false;
    for (int i = 0; i < 10; ++i) h.pass(std::chrono::seconds(1));
    CHECK(h.core->upstream_of(0).down_since.has_value());
    h.answers = true;
    h.turn();
    CHECK_FALSE(h.core->upstream_of(0).down_since.has_value());
}
