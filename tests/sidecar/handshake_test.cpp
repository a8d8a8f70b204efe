#include "sidecar/core/handshake.hpp"

#include <catch2/catch.hpp>

#include "resp/command_scanner.hpp"

using namespace sidecar;

namespace {

std::vector<std::string> sent(const handshake& greeting) {
    std::vector<std::string> out;
    std::string_view rest = greeting.bytes_to_send();
    resp::command_scanner scanner;
    while (!rest.empty()) {
        resp::scanned_command found;
        REQUIRE(scanner.scan(rest, resp::peer_trust::known, found) == resp::scan_status::command);
        std::string line;
        for (const auto arg : found.args) line += (line.empty() ? "" : " ") + std::string(arg);
        out.push_back(line);
        rest.remove_prefix(found.bytes);
    }
    return out;
}

handshake_state answer(handshake& greeting, const std::vector<std::string>& replies) {
    auto state = handshake_state::more;
    for (const auto& reply : replies) {
        CHECK(state == handshake_state::more);
        state = greeting.on_reply(*resp::parse_value(reply));
    }
    return state;
}

handshake_settings full() {
    handshake_settings s;
    s.password = "secret";
    s.database = 2;
    s.client_name = "sidecar";
    s.confined_user = "db2";
    s.confined_password = "pw";
    s.confined_rules = {"reset", "on", "+@all"};
    return s;
}

const std::string ok = "+OK\r\n";

}  // namespace

TEST_CASE("the handshake says everything in one write, SELECT before the user who may not select") {
    const handshake greeting(full());
    CHECK(sent(greeting) == std::vector<std::string>{"AUTH secret", "CLIENT SETNAME sidecar", "SELECT 2",
                                                     "ACL SETUSER db2 reset on +@all >pw", "AUTH db2 pw",
                                                     "CLIENT ID", "PING"});
}

TEST_CASE("RESP3 says HELLO, db 0 no SELECT, no password no AUTH") {
    handshake_settings s;
    s.protocol = 3;
    CHECK(sent(handshake(s)) == std::vector<std::string>{"HELLO 3", "CLIENT ID", "PING"});
    s.password = "secret";
    CHECK(sent(handshake(s)).front() == "HELLO 3 AUTH default secret");
    s.user = "proxy";
    CHECK(sent(handshake(s)).front() == "HELLO 3 AUTH proxy secret");
    s.protocol = 2;
    CHECK(sent(handshake(s)).front() == "AUTH proxy secret");
}

TEST_CASE("a handshake that goes well") {
    handshake greeting(full());
    CHECK(answer(greeting, {ok, ok, ok, ok, ok, ":77\r\n", "+PONG\r\n"}) == handshake_state::ready);
    CHECK(greeting.upstream_client_id() == 77);
    CHECK(greeting.confined());
    handshake_settings s;
    s.protocol = 3;
    handshake third(s);
    CHECK(answer(third, {"%2\r\n+server\r\n+redis\r\n+version\r\n+7.2.4\r\n", ":1\r\n", "+PONG\r\n"}) ==
          handshake_state::ready);
    CHECK(third.server_version() == "7.2.4");
}

TEST_CASE("what is not there yet is tried again soon") {
    for (const auto* words :
         {"-LOADING Redis is loading the dataset in memory\r\n", "-MASTERDOWN Link with MASTER\r\n",
          "-ERR max number of clients reached\r\n", "-BUSY Redis is busy running a script\r\n"}) {
        handshake greeting(full());
        CHECK(answer(greeting, {ok, ok, words}) == handshake_state::not_yet);
        CHECK(greeting.cause() == std::string(words + 1, std::string(words).size() - 3));
        handshake first(full());
        CHECK(answer(first, {words}) == handshake_state::not_yet);
    }
}

TEST_CASE("a wrong password is refused, a missing one as well") {
    handshake greeting(full());
    CHECK(answer(greeting, {"-WRONGPASS invalid username-password pair or user is disabled.\r\n"}) ==
          handshake_state::refused);
    handshake_settings none;
    none.client_name = "sidecar";
    handshake silent(none);
    CHECK(answer(silent, {"-NOAUTH Authentication required.\r\n"}) == handshake_state::refused);
}

TEST_CASE("an upstream without a password is content with ours") {
    handshake greeting(full());
    CHECK(answer(greeting,
                 {"-ERR AUTH <password> called without any password configured for the default user. Are "
                  "you sure your configuration is correct?\r\n",
                  ok, ok, ok, ok, ":1\r\n", "+PONG\r\n"}) == handshake_state::ready);
}

TEST_CASE("where ACL SETUSER is forbidden the link goes on unconfined") {
    handshake greeting(full());
    CHECK(answer(greeting,
                 {ok, ok, ok, "-NOPERM this user has no permissions to run the 'acl|setuser' command\r\n",
                  "-WRONGPASS invalid username-password pair\r\n", ":1\r\n", "+PONG\r\n"}) ==
          handshake_state::ready);
    CHECK_FALSE(greeting.confined());
}

TEST_CASE("a db that does not exist and a PING that fails end the attempt") {
    handshake greeting(full());
    CHECK(answer(greeting, {ok, ok, "-ERR DB index is out of range\r\n"}) == handshake_state::failed);
    handshake other(full());
    CHECK(answer(other, {ok, ok, ok, ok, ok, ":1\r\n", "-MISCONF no\r\n"}) == handshake_state::failed);
    handshake old(handshake_settings{.user = {},
                                     .password = {},
                                     .protocol = 3,
                                     .database = 0,
                                     .client_name = {},
                                     .confined_user = {},
                                     .confined_password = {},
                                     .confined_rules = {}});
    CHECK(answer(old, {"-ERR unknown command 'HELLO'\r\n"}) == handshake_state::failed);
}
