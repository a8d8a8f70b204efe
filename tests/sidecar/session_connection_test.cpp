#include "tests/sidecar/session_harness.hpp"
#include "tests/support/fragments.hpp"

using namespace tests;

namespace {

std::string joined(std::initializer_list<std::initializer_list<std::string_view>> commands) {
    std::string out;
    for (const auto& c : commands) out += resp::command(c);
    return out;
}

config guarded() {
    config c = session_harness::relaxed();
    c.password = "secret";
    return c;
}

const std::string noauth = "-NOAUTH Authentication required.\r\n";
const std::string wrongpass = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

}  // namespace

TEST_CASE("before AUTH only AUTH, HELLO, QUIT and RESET are heard") {
    each_fragmentation(
        joined({{"GET", "k"}, {"PING"}, {"MULTI"}, {"AUTH", "no"}, {"AUTH", "secret"}, {"PING"}}),
        [](const pieces& parts) {
            session_harness h(guarded());
            auto& client = h.connect();
            for (const auto part : parts) h.send(client, part);
            CHECK(client.received == noauth + noauth + noauth + wrongpass + "+OK\r\n+PONG\r\n");
            CHECK(h.count().auth_failures == 1);
        });
}

TEST_CASE("a failed AUTH leaves the identity as it was") {
    session_harness h(guarded());
    auto& client = h.connect();
    CHECK(h.ask(client, {"AUTH", "default", "secret"}) == "+OK\r\n");
    CHECK(h.ask(client, {"AUTH", "wrong"}) == wrongpass);
    CHECK(h.ask(client, {"AUTH", "nobody", "secret"}) == wrongpass);
    CHECK(h.ask(client, {"PING"}) == "+PONG\r\n");
    CHECK(h.ask(client, {"ACL", "WHOAMI"}) == "$7\r\ndefault\r\n");
}

TEST_CASE("strangers have small limits, and an authenticated client has not") {
    session_harness h(guarded());
    auto& many = h.connect();
    h.send(many, "*11\r\n");
    CHECK(many.received == "-ERR Protocol error: unauthenticated multibulk length\r\n");
    CHECK(many.closed);
    auto& large = h.connect();
    h.send(large, "*2\r\n$4\r\nAUTH\r\n$16385\r\n");
    CHECK(large.received == "-ERR Protocol error: unauthenticated bulk length\r\n");
    CHECK(large.closed);
    auto& known = h.connect();
    h.send(known, joined({{"AUTH", "secret"}, {"ECHO", std::string(20'000, 'x')}}));
    CHECK(known.received.size() == 5 + 8 + 20'000 + 2);
}

TEST_CASE("a client that keeps guessing is closed") {
    session_harness h(guarded());
    auto& client = h.connect();
    for (int i = 0; i < 1000 && !client.closed; ++i) h.command(client, {"AUTH", std::to_string(i)});
    CHECK(client.closed);
    CHECK(h.count().clients_closed_auth_flood == 1);
    CHECK(h.count().auth_failures <= 100);
}

TEST_CASE("HELLO switches the protocol of its own reply, and a bad one switches nothing") {
    session_harness h;
    auto& client = h.connect();
    CHECK(h.ask(client, {"HELLO"}).rfind("*14\r\n", 0) == 0);
    CHECK(h.ask(client, {"HELLO", "4"}) == "-NOPROTO unsupported protocol version\r\n");
    CHECK(h.ask(client, {"HELLO", "x"}) == "-ERR Protocol version is not an integer or out of range\r\n");
    CHECK(h.ask(client, {"HELLO", "3", "NOPE"}) == "-ERR Syntax error in HELLO option 'NOPE'\r\n");
    CHECK(h.ask(client, {"GET", "none"}) == "$-1\r\n");
    CHECK(h.ask(client, {"HELLO", "3"}).rfind("%7\r\n", 0) == 0);
    CHECK(h.ask(client, {"GET", "none"}) == "_\r\n");
    CHECK(h.ask(client, {"HELLO", "2", "SETNAME", "me"}).rfind("*14\r\n", 0) == 0);
    CHECK(h.ask(client, {"GET", "none"}) == "$-1\r\n");
    CHECK(h.ask(client, {"CLIENT", "GETNAME"}) == "$2\r\nme\r\n");
}

TEST_CASE("HELLO in the middle of a pipeline: each reply in the protocol of its moment") {
    session_harness h;
    auto& client = h.connect();
    h.answers = false;
    h.send(client, joined({{"GET", "x"}, {"HELLO", "3"}, {"GET", "x"}, {"HELLO", "2"}, {"GET", "x"}}));
    for (int i = 0; i < 10; ++i) h.deliver(3);
    h.answers = true;
    h.turn();
    CHECK(client.received.rfind("$-1\r\n%7\r\n", 0) == 0);
    CHECK(client.received.find("*0\r\n_\r\n*14\r\n") != std::string::npos);
    CHECK(client.received.ends_with("*0\r\n$-1\r\n"));
}

TEST_CASE("HELLO without credentials where they are required") {
    session_harness h(guarded());
    auto& client = h.connect();
    CHECK(h.ask(client, {"HELLO", "3"}).rfind("-NOAUTH HELLO must be called", 0) == 0);
    CHECK(h.ask(client, {"HELLO", "3", "AUTH", "default", "no"}) == wrongpass);
    CHECK(h.ask(client, {"PING"}) == noauth);
    CHECK(h.ask(client, {"HELLO", "3", "AUTH", "default", "secret"}).rfind("%7\r\n", 0) == 0);
}

TEST_CASE("SELECT moves later commands only, and in strict policy only to the own three") {
    session_harness h;
    auto& client = h.connect();
    h.send(client, joined({{"ECHO", "0"}, {"SELECT", "2"}, {"ECHO", "2"}, {"SELECT", "1"}, {"ECHO", "1"}}));
    CHECK(client.received == "$1\r\n0\r\n+OK\r\n$1\r\n2\r\n+OK\r\n$1\r\n1\r\n");
    for (const auto& [db, args] : h.redis.log)
        if (upper(args[0]) == "ECHO") CHECK(args[1] == std::to_string(db));
    session_harness strict(session_harness::strict());
    auto& other = strict.connect();
    CHECK(strict.ask(other, {"SELECT", "16"}) == "-ERR DB index is out of range\r\n");
    CHECK(strict.ask(other, {"SELECT", "abc"}) == "-ERR value is not an integer or out of range\r\n");
    CHECK(other.side->database() == 0);
}

TEST_CASE("CLIENT REPLY: off, skip and on") {
    session_harness h;
    auto& client = h.connect();
    h.send(client, joined({{"CLIENT", "REPLY", "SKIP"}, {"ECHO", "hidden"}, {"ECHO", "shown"}}));
    CHECK(h.take(client) == "$5\r\nshown\r\n");
    h.send(client, joined({{"CLIENT", "REPLY", "OFF"},
                           {"ECHO", "a"},
                           {"CLIENT", "ID"},
                           {"NOPE"},
                           {"GET"},
                           {"CLIENT", "REPLY", "SKIP"},
                           {"ECHO", "b"},
                           {"ECHO", "c"}}));
    CHECK(h.take(client).empty());
    h.send(client, joined({{"CLIENT", "REPLY", "ON"}, {"ECHO", "d"}}));
    CHECK(h.take(client) == "+OK\r\n$1\r\nd\r\n");
    CHECK(h.ask(client, {"CLIENT", "REPLY", "MAYBE"}) == "-ERR syntax error\r\n");
    h.send(client, joined({{"CLIENT", "REPLY", "SKIP"}, {"CLIENT", "ID"}, {"CLIENT", "GETNAME"}}));
    CHECK(h.take(client) == "$-1\r\n");
    CHECK(h.redis.count_of("CLIENT") > 0);
    for (const auto& [db, args] : h.redis.log)
        if (args.size() > 1) CHECK(upper(args[1]) != "REPLY");
}

TEST_CASE("replies hidden by CLIENT REPLY never disturb their neighbours, at any cut") {
    each_fragmentation(joined({{"ECHO", "1"},
                               {"CLIENT", "REPLY", "SKIP"},
                               {"ECHO", "2"},
                               {"ECHO", "3"},
                               {"CLIENT", "REPLY", "OFF"},
                               {"ECHO", "4"},
                               {"CLIENT", "REPLY", "ON"},
                               {"ECHO", "5"}}),
                       [](const pieces& parts) {
                           session_harness h;
                           h.answers = false;
                           auto& client = h.connect();
                           for (const auto part : parts) {
                               h.send(client, part);
                               h.deliver(4);
                           }
                           h.answers = true;
                           h.turn();
                           CHECK(client.received == "$1\r\n1\r\n$1\r\n3\r\n+OK\r\n$1\r\n5\r\n");
                       });
}

TEST_CASE("RESET forgets everything about the client") {
    config settings = guarded();
    session_harness h(settings);
    auto& client = h.connect();
    h.send(client, joined({{"HELLO", "3", "AUTH", "default", "secret", "SETNAME", "me"}, {"SELECT", "2"}}));
    (void)h.take(client);
    CHECK(h.ask(client, {"RESET"}) == "+RESET\r\n");
    CHECK(client.side->database() == 0);
    CHECK(client.side->name().empty());
    CHECK(h.ask(client, {"GET", "x"}) == noauth);
    CHECK(h.ask(client, {"AUTH", "secret"}) == "+OK\r\n");
    CHECK(h.ask(client, {"GET", "x"}) == "$-1\r\n");
}

TEST_CASE("RESET and QUIT wait for the replies before them") {
    session_harness h;
    auto& a = h.connect();
    h.answers = false;
    h.send(a, joined({{"ECHO", "1"}, {"RESET"}, {"ECHO", "2"}, {"QUIT"}, {"ECHO", "3"}}));
    CHECK(a.received.empty());
    h.answers = true;
    h.turn();
    CHECK(a.received == "$1\r\n1\r\n+RESET\r\n$1\r\n2\r\n+OK\r\n");
    CHECK(a.closed);
    CHECK(h.redis.count_of("QUIT") == 0);
    CHECK(h.redis.count_of("RESET") == 0);
}

TEST_CASE("users limited to dbs: connection commands pass anywhere, data commands do not") {
    config settings = guarded();
    user_settings celery;
    celery.name = "celery";
    celery.sha256_hex = sha256_hex("pw");
    celery.databases = {2};
    settings.users.push_back(celery);
    session_harness h(settings);
    auto& client = h.connect();
    CHECK(h.ask(client, {"AUTH", "celery", "pw"}) == "+OK\r\n");
    CHECK(h.ask(client, {"PING"}) == "+PONG\r\n");
    CHECK(h.ask(client, {"GET", "k"}).rfind("-NOPERM", 0) == 0);
    CHECK(h.ask(client, {"SELECT", "2"}) == "+OK\r\n");
    CHECK(h.ask(client, {"GET", "k"}) == "$-1\r\n");
    h.send(client, joined({{"SELECT", "0"}, {"MULTI"}, {"SET", "k", "v"}, {"EXEC"}}));
    CHECK(client.received.find("-NOPERM") != std::string::npos);
    CHECK(client.received.find("-EXECABORT") != std::string::npos);
    CHECK(h.redis.strings.empty());
}

TEST_CASE("AUTH as somebody with other rights is refused while keys are watched") {
    config settings = guarded();
    user_settings reader;
    reader.name = "reader";
    reader.sha256_hex = sha256_hex("pw");
    reader.readonly = true;
    settings.users.push_back(reader);
    session_harness h(settings);
    auto& client = h.connect();
    CHECK(h.ask(client, {"AUTH", "secret"}) == "+OK\r\n");
    CHECK(h.ask(client, {"WATCH", "k"}) == "+OK\r\n");
    CHECK(h.ask(client, {"AUTH", "secret"}) == "+OK\r\n");
    for (const std::string_view way : {"AUTH", "HELLO"}) {
        const auto answer = way == "AUTH" ? h.ask(client, {"AUTH", "reader", "pw"})
                                          : h.ask(client, {"HELLO", "3", "AUTH", "reader", "pw"});
        CHECK(answer.rfind("-ERR AUTH as a user with other rights is not possible while keys", 0) == 0);
        CHECK(h.ask(client, {"ACL", "WHOAMI"}) == "$7\r\ndefault\r\n");
    }
    CHECK(h.ask(client, {"UNWATCH"}) == "+OK\r\n");
    CHECK(h.ask(client, {"AUTH", "reader", "pw"}) == "+OK\r\n");
}

TEST_CASE("a refusal by rights comes before one by subscribed mode") {
    config settings = guarded();
    user_settings reader;
    reader.name = "reader";
    reader.sha256_hex = sha256_hex("pw");
    reader.readonly = true;
    settings.users.push_back(reader);
    session_harness h(settings);
    auto& client = h.connect();
    (void)h.ask(client, {"AUTH", "reader", "pw"});
    (void)h.ask(client, {"SUBSCRIBE", "c"});
    CHECK(h.ask(client, {"SET", "k", "v"}).rfind("-NOPERM", 0) == 0);
    CHECK(h.ask(client, {"GET", "k"}).rfind("-ERR Can't execute", 0) == 0);
}

TEST_CASE("ids and names are the sidecar's own") {
    session_harness h;
    auto& a = h.connect();
    auto& b = h.connect();
    CHECK(h.ask(a, {"CLIENT", "ID"}) == ":" + std::to_string(a.id) + "\r\n");
    CHECK(h.ask(b, {"CLIENT", "ID"}) == ":" + std::to_string(b.id) + "\r\n");
    CHECK(h.ask(a, {"CLIENT", "SETNAME", "with space"}).rfind("-ERR Client names cannot contain spaces", 0) ==
          0);
    CHECK(h.ask(a, {"CLIENT", "SETNAME", "a"}) == "+OK\r\n");
    CHECK(h.ask(a, {"CLIENT", "SETNAME", ""}) == "+OK\r\n");
    CHECK(h.ask(a, {"CLIENT", "GETNAME"}) == "$-1\r\n");
}

TEST_CASE("CLIENT LIST and KILL speak of the sidecar's clients") {
    session_harness h;
    auto& a = h.connect();
    auto& b = h.connect();
    CHECK(h.ask(b, {"CLIENT", "SETNAME", "victim"}) == "+OK\r\n");
    const std::string list = h.ask(a, {"CLIENT", "LIST"});
    CHECK(list.find("id=" + std::to_string(a.id) + " ") != std::string::npos);
    CHECK(list.find("name=victim") != std::string::npos);
    CHECK(list.find("name=sidecar") == std::string::npos);
    CHECK(h.ask(a, {"CLIENT", "KILL", "ID", std::to_string(b.id)}) == ":1\r\n");
    CHECK(b.closed);
    CHECK_FALSE(a.closed);
    CHECK(h.ask(a, {"PING"}) == "+PONG\r\n");
}
