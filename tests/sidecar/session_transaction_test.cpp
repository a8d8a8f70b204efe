#include "tests/sidecar/session_harness.hpp"
#include "tests/support/fragments.hpp"

using namespace tests;

namespace {

std::string joined(std::initializer_list<std::initializer_list<std::string_view>> commands) {
    std::string out;
    for (const auto& c : commands) out += resp::command(c);
    return out;
}

std::string small_transaction() {
    return joined({{"MULTI"}, {"SET", "k", "v"}, {"GET", "k"}, {"EXEC"}});
}
const std::string small_answer = "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\nv\r\n";

const std::string aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";

}  // namespace

TEST_CASE("a transaction is the same whether it comes whole or typed step by step") {
    each_fragmentation("PING\r\n" + small_transaction() + "PING\r\n", [](const pieces& parts) {
        session_harness h;
        auto& client = h.connect();
        for (const auto part : parts) h.send(client, part);
        CHECK(client.received == "+PONG\r\n" + small_answer + "+PONG\r\n");
        CHECK(h.count().whole_transactions + h.count().leases_granted == 1);
        CHECK(h.core->leases.in_use() == 0);
    });
}

TEST_CASE("a whole transaction takes no lease") {
    session_harness h;
    auto& client = h.connect();
    h.send(client, small_transaction() + small_transaction());
    CHECK(client.received == small_answer + small_answer);
    CHECK(h.count().whole_transactions == 2);
    CHECK(h.count().leases_granted == 0);
    CHECK(h.seen_on(link_lane::main) == "MULTI SET GET EXEC MULTI SET GET EXEC");
}

TEST_CASE("a typed transaction takes a lease and gives it back") {
    session_harness h;
    auto& client = h.connect();
    CHECK(h.ask(client, {"MULTI"}) == "+OK\r\n");
    CHECK(client.side->leased());
    CHECK(h.ask(client, {"INCR", "n"}) == "+QUEUED\r\n");
    CHECK(h.ask(client, {"EXEC"}) == "*1\r\n:1\r\n");
    CHECK_FALSE(client.side->leased());
    CHECK(h.core->leases.idle() == 1);
    CHECK(h.ask(client, {"MULTI"}) == "+OK\r\n");
    CHECK(h.ask(client, {"DISCARD"}) == "+OK\r\n");
    CHECK(h.connections(link_lane::lease) == 1);
    CHECK(h.count().leases_destroyed == 0);
}

TEST_CASE("a whole transaction is contiguous on the link, whatever others send meanwhile") {
    session_harness h;
    h.answers = false;
    auto& a = h.connect();
    auto& b = h.connect();
    h.send(a, small_transaction());
    h.command(b, {"PING"});
    h.send(a, small_transaction());
    h.deliver();
    CHECK(h.seen_on(link_lane::main) == "MULTI SET GET EXEC PING MULTI SET GET EXEC");
    CHECK(a.received == small_answer + small_answer);
    CHECK(b.received == "+PONG\r\n");
}

TEST_CASE("errors at queue time abort, nested MULTI and WATCH do not") {
    for (const bool whole : {true, false}) {
        INFO(whole);
        session_harness h;
        auto& client = h.connect();
        const auto run = [&](std::initializer_list<std::initializer_list<std::string_view>> commands) {
            if (whole) {
                h.send(client, joined(commands));
            } else {
                for (const auto& c : commands) h.command(client, c);
            }
            return h.take(client);
        };
        CHECK(run({{"MULTI"}, {"GET"}, {"INCR", "n"}, {"EXEC"}}) ==
              "+OK\r\n-ERR wrong number of arguments for 'get' command\r\n+QUEUED\r\n" + aborted);
        CHECK(run({{"MULTI"}, {"MULTI"}, {"INCR", "n"}, {"EXEC"}}) ==
              "+OK\r\n-ERR MULTI calls can not be nested\r\n+QUEUED\r\n*1\r\n:1\r\n");
        CHECK(run({{"MULTI"}, {"WATCH", "k"}, {"INCR", "n"}, {"EXEC"}}) ==
              "+OK\r\n-ERR WATCH inside MULTI is not allowed\r\n+QUEUED\r\n*1\r\n:2\r\n");
        CHECK(run({{"MULTI"}, {"DISCARD"}, {"EXEC"}}) == "+OK\r\n+OK\r\n-ERR EXEC without MULTI\r\n");
        CHECK(h.core->leases.in_use() == 0);
    }
}

TEST_CASE("what the policy refuses inside MULTI makes EXEC abort upstream too") {
    for (const bool whole : {true, false}) {
        session_harness h(session_harness::strict());
        auto& client = h.connect();
        const std::string input =
            joined({{"MULTI"}, {"SET", "k", "v"}, {"SELECT", "1"}, {"FLUSHALL"}, {"EXEC"}});
        for (const auto part : cut(input, whole ? input.size() : 7)) h.send(client, part);
        CHECK(client.received.ends_with(aborted));
        CHECK(client.received.rfind("+OK\r\n+QUEUED\r\n-", 0) == 0);
        CHECK(h.redis.count_of("FLUSHALL") == 0);
        CHECK(h.redis.strings.count("k") == 0);
        CHECK(h.core->stats.refusals_total() >= 1);
    }
}

TEST_CASE("a connection command inside MULTI takes effect only when EXEC ran") {
    session_harness h;
    auto& client = h.connect();
    const auto run = [&](std::string_view last) {
        h.send(client,
               joined({{"MULTI"}, {"INCR", "n"}, {"CLIENT", "SETNAME", "inside"}, {"CLIENT", "GETNAME"}}));
        CHECK(h.take(client) == "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
        CHECK(client.side->name().empty());
        return h.ask(client, {last});
    };
    CHECK(run("DISCARD") == "+OK\r\n");
    CHECK(h.ask(client, {"CLIENT", "GETNAME"}) == "$-1\r\n");
    CHECK(run("EXEC") == "*3\r\n:1\r\n+OK\r\n$6\r\ninside\r\n");
    CHECK(h.ask(client, {"CLIENT", "GETNAME"}) == "$6\r\ninside\r\n");
    CHECK(h.seen_on(link_lane::lease).find("CLIENT") == std::string::npos);
}

TEST_CASE("a lost WATCH leaves the placeholders without effect") {
    session_harness h;
    auto& a = h.connect();
    auto& b = h.connect();
    CHECK(h.ask(a, {"WATCH", "k"}) == "+OK\r\n");
    CHECK(h.ask(b, {"SET", "k", "other"}) == "+OK\r\n");
    h.send(a, joined({{"MULTI"}, {"CLIENT", "SETNAME", "x"}, {"GET", "k"}}));
    (void)h.take(a);
    CHECK(h.ask(a, {"EXEC"}) == "*-1\r\n");
    CHECK(a.side->name().empty());
    CHECK(h.core->leases.in_use() == 0);
}

TEST_CASE("WATCH keeps its lease until EXEC, DISCARD or UNWATCH") {
    for (const std::string_view end : {"EXEC", "DISCARD", "UNWATCH"}) {
        session_harness h;
        auto& client = h.connect();
        CHECK(h.ask(client, {"WATCH", "k"}) == "+OK\r\n");
        CHECK(h.ask(client, {"GET", "k"}) == "$-1\r\n");
        CHECK(client.side->leased());
        if (end != "UNWATCH") CHECK(h.ask(client, {"MULTI"}) == "+OK\r\n");
        (void)h.ask(client, {end});
        CHECK_FALSE(client.side->leased());
        CHECK(h.core->leases.idle() == 1);
        CHECK(h.ask(client, {"GET", "k"}) == "$-1\r\n");
        CHECK(h.seen_on(link_lane::main) == "GET");
    }
}

TEST_CASE("a rejected EXEC ends WATCH too") {
    session_harness h;
    auto& a = h.connect();
    auto& b = h.connect();
    CHECK(h.ask(a, {"WATCH", "k"}) == "+OK\r\n");
    CHECK(h.ask(b, {"SET", "k", "other"}) == "+OK\r\n");
    CHECK(h.ask(a, {"EXEC", "x"}) ==
          "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n");
    CHECK_FALSE(a.side->leased());
    CHECK(h.core->leases.idle() == 1);
    for (const auto* word : {"MULTI", "EXEC"}) (void)h.ask(a, {word});
    CHECK(h.ask(a, {"EXEC", "x"}).rfind("-EXECABORT", 0) == 0);
}

TEST_CASE("SELECT while keys are watched: errors in Redis's words, the own db, and nothing else") {
    session_harness h(session_harness::strict());
    auto& client = h.connect();
    CHECK(h.ask(client, {"WATCH", "k"}) == "+OK\r\n");
    CHECK(h.ask(client, {"SELECT", "16"}) == "-ERR DB index is out of range\r\n");
    CHECK(h.ask(client, {"SELECT", "abc"}) == "-ERR value is not an integer or out of range\r\n");
    CHECK(h.ask(client, {"SELECT", "0"}) == "+OK\r\n");
    CHECK(h.ask(client, {"SELECT", "1"}).rfind("-ERR SELECT is not possible while keys are watched", 0) == 0);
    CHECK(h.ask(client, {"UNWATCH"}) == "+OK\r\n");
    CHECK(h.ask(client, {"SELECT", "1"}) == "+OK\r\n");
}

TEST_CASE("WATCH, MULTI and EXEC in one go, with commands before and behind") {
    each_fragmentation(
        joined({{"INCR", "n"},
                {"WATCH", "n"},
                {"MULTI"},
                {"INCR", "n"},
                {"EXEC"},
                {"INCR", "n"},
                {"CLIENT", "GETNAME"}}),
        [](const pieces& parts) {
            session_harness h;
            auto& client = h.connect();
            for (const auto part : parts) h.send(client, part);
            CHECK(client.received == ":1\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n:3\r\n$-1\r\n");
            CHECK(h.core->leases.in_use() == 0);
        });
}

TEST_CASE("a client that leaves in the middle of a transaction takes its lease with it") {
    session_harness h;
    auto& client = h.connect();
    (void)h.ask(client, {"MULTI"});
    (void)h.ask(client, {"SET", "k", "v"});
    h.breaks(client);
    CHECK(h.core->leases.in_use() == 0);
    CHECK(h.core->leases.idle() == 0);
    CHECK(h.connections(link_lane::lease) == 0);
    CHECK(h.redis.strings.count("k") == 0);
}

TEST_CASE("when no lease is free transactions wait their turn, and not for ever") {
    config settings = session_harness::relaxed();
    settings.leases_max = 1;
    session_harness h(settings);
    auto& a = h.connect();
    auto& b = h.connect();
    auto& c = h.connect();
    CHECK(h.ask(a, {"MULTI"}) == "+OK\r\n");
    h.send(b, joined({{"MULTI"}, {"INCR", "n"}}));
    CHECK(b.received.empty());
    CHECK(b.side->stalled() == stall::lease);
    h.send(c, small_transaction());  // whole: needs none
    CHECK(c.received == small_answer);
    CHECK(h.ask(a, {"EXEC"}) == "*0\r\n");
    CHECK(h.take(b) == "+OK\r\n+QUEUED\r\n");
    h.command(a, {"MULTI"});
    CHECK(a.received.empty());
    for (int i = 0; i < 4; ++i) {
        h.pass_slowly(milliseconds(850));
        CHECK(h.ask(b, {"INCR", "n"}) == "+QUEUED\r\n");  // in use: see shard_limits_test for idle ones
    }
    CHECK(a.closed);
    CHECK(h.count().lease_wait_timeouts == 1);
    CHECK(h.ask(b, {"EXEC"}) == "*5\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n");
}

TEST_CASE("CLIENT REPLY SKIP before MULTI hides only the MULTI's answer") {
    session_harness h;
    auto& client = h.connect();
    h.send(client, joined({{"CLIENT", "REPLY", "SKIP"}}) + small_transaction());
    CHECK(client.received == "+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\nv\r\n");
}

TEST_CASE("CLIENT REPLY OFF hides a whole transaction and a typed one") {
    session_harness h;
    auto& client = h.connect();
    h.send(client, joined({{"CLIENT", "REPLY", "OFF"}}) + small_transaction());
    const std::string again = small_transaction();
    for (const auto part : cut(again, 9)) h.send(client, part);
    h.send(client, joined({{"CLIENT", "REPLY", "ON"}, {"GET", "k"}}));
    CHECK(client.received == "+OK\r\n$1\r\nv\r\n");
}

TEST_CASE("HTTP words in a transaction never reach the shared link", "") {
    session_harness h;
    auto& attacker = h.connect();
    auto& other = h.connect();
    h.answers = false;
    h.command(other, {"SET", "k", "v"});
    h.send(attacker, joined({{"MULTI"}, {"POST", "/"}, {"EXEC"}}));
    h.answers = true;
    h.turn();
    CHECK(attacker.closed);
    CHECK(h.redis.count_of("POST") == 0);
    CHECK(other.received == "+OK\r\n");
}

TEST_CASE("RESET and QUIT end a transaction without a trace") {
    session_harness h;
    auto& a = h.connect();
    (void)h.ask(a, {"MULTI"});
    (void)h.ask(a, {"SET", "k", "v"});
    CHECK(h.ask(a, {"RESET"}) == "+RESET\r\n");
    CHECK(h.ask(a, {"EXEC"}) == "-ERR EXEC without MULTI\r\n");
    (void)h.ask(a, {"MULTI"});
    CHECK(h.ask(a, {"QUIT"}) == "+OK\r\n");
    CHECK(a.closed);
    CHECK(h.redis.strings.count("k") == 0);
    CHECK(h.core->leases.in_use() == 0);
    CHECK(h.connections(link_lane::lease) == 0);
}

// Upstream dies when exactly `written` bytes of the transaction were written and `read` bytes of its replies
// read. Whatever the moment, the commands never run outside their transaction, and the client either gets the
// whole answer or is closed.
TEST_CASE("a whole transaction and the loss of its link, at every moment") {
    const std::string input = small_transaction();
    for (std::size_t written = 0; written <= input.size(); ++written)
        for (std::size_t read = 0; read <= small_answer.size(); ++read) {
            session_harness h;
            auto& client = h.connect();
            CHECK(h.ask(client, {"PING"}) == "+PONG\r\n");
            h.answers = false;
            h.write_max = written;
            h.send(client, input);
            h.write_max = 0;
            h.deliver(read);
            if (client.received.size() < read) break;  // upstream had not more to say
            h.redis.log.clear();
            const bool executed = h.redis.strings.count("k") != 0;
            h.lose_links(link_lane::main);
            h.write_max = std::string::npos;
            h.answers = true;
            h.pass_slowly(milliseconds(1'100));
            INFO("written " << written << ", read " << read << ": " << client.received);
            CHECK((client.closed || client.received == small_answer));
            CHECK(small_answer.rfind(client.received, 0) == 0);
            CHECK((!executed || h.redis.count_of("SET") == 0));
            CHECK(h.redis.count_of("MULTI") == h.redis.count_of("EXEC"));
            CHECK(h.redis.count_of("SET") == h.redis.count_of("MULTI"));
            CHECK(h.redis.count_of("GET") == h.redis.count_of("MULTI"));
        }
}
