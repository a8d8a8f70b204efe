#include <catch2/catch.hpp>

#include "sidecar/core/users.hpp"
#include "tests/sidecar/config/fixture.hpp"

using namespace sidecar;
using namespace config_fixture;
using namespace std::chrono_literals;

TEST_CASE("the file takes keys with dashes, numbers and texts", "[config]") {
    const config settings = good_file(R"(
max-clients = 5
client-output-max = 4096
hold = 1.5
drain = "250ms"
log_json = true
listen = "127.0.0.1:1"
)");
    CHECK(settings.clients_max == 5);
    CHECK(settings.client_output_bytes_max == 4096);
    CHECK(settings.hold == 1500ms);
    CHECK(settings.drain == 250ms);
    CHECK(settings.log_json);
    CHECK(settings.listen == std::vector<endpoint>{{"127.0.0.1", 1}});
}

TEST_CASE("the file has users", "[config]") {
    const std::string hash = sha256_hex("other");
    const config settings = good_file(R"(
[users.alice]
password = "secret"
dbs = [1, 0, 1]
readonly = true
[users.bob]
sha256 = ")" + hash + "\"\n");
    REQUIRE(settings.users.size() == 2);
    CHECK(settings.users[0] == user_settings{"alice", sha256_hex("secret"), {0, 1}, true});
    CHECK(settings.users[1] == user_settings{"bob", hash, {}, false});
}

TEST_CASE("a file that cannot be used is named with its line", "[config]") {
    CHECK(error({"--config", "/no/such.toml"}) ==
          "--config: /no/such.toml: cannot read it: No such file or directory");
    CHECK(error({}, {{"SIDECAR_CONFIG", "/no/such.toml"}}) ==
          "SIDECAR_CONFIG: /no/such.toml: cannot read it: No such file or directory");
    CHECK(error({"--config", "/tmp"}).find("--config: /tmp: cannot read it") == 0);
    CHECK(file_error("a = 1\nlisten = [").find("--config: FILE: line 2: ") == 0);
    CHECK(file_error("nonsense").find("--config: FILE: line 1: ") == 0);
    CHECK(file_error("threads = 1\nthreads = 2").find("--config: FILE: line 2: ") == 0);
    CHECK(file_error("max-clients = 1\nmax_clients = 2").find("given more than once") != std::string::npos);
    CHECK(file_error("tread = 1") == "--config: FILE: unknown key 'tread'");
    CHECK(file_error("[server]\nthreads = 1") == "--config: FILE: unknown key 'server'");
    CHECK(file_error("config = \"other\"") == "--config: FILE: unknown key 'config'");
    CHECK(file_error("x = \"" + std::string(1 << 20, 'x') + "\"") == "--config: FILE: larger than 1 MiB");
    for (const char* text : {"a = 1\nlisten = [", "\xff\xfe", "[users", "x = '''\n\n"})
        CHECK(file_error(text).find('\n') == std::string::npos);
}

TEST_CASE("a user of the file that cannot be used is named", "[config]") {
    CHECK(file_error("users = 1") == "--config: FILE: users: must be a table of tables, not a number");
    CHECK(file_error("[users]\nalice = 1") == "--config: FILE: users.alice: must be a table, not a number");
    CHECK(file_error("[users.alice]") == "--config: FILE: users.alice: neither password nor sha256 is given");
    CHECK(file_error("[users.alice]\npassword = \"\"") ==
          "--config: FILE: users.alice.password: the password is empty");
    CHECK(file_error("[users.alice]\npassword = 1") ==
          "--config: FILE: users.alice.password: must be a text, not a number");
    CHECK(file_error("[users.alice]\nsha256 = \"abc\"") ==
          "--config: FILE: users.alice.sha256: is not a SHA-256 in 64 hex digits");
    CHECK(file_error("[users.alice]\npassword = \"a\"\nsha256 = \"" + std::string(64, 'a') + "\"")
              .find("give either password or sha256, not both") != std::string::npos);
    CHECK(file_error("[users.alice]\npassword = \"a\"\ndbs = [3]") ==
          "--config: FILE: users.alice.dbs: there is no db 3, only 0, 1 and 2");
    CHECK(file_error("[users.alice]\npassword = \"a\"\ndbs = []").find("must name at least one db") !=
          std::string::npos);
    CHECK(file_error("[users.alice]\npassword = \"a\"\ndbs = 1").find("must be a list of db numbers") !=
          std::string::npos);
    CHECK(file_error("[users.alice]\npassword = \"a\"\nreadonly = 1").find("must be true or false") !=
          std::string::npos);
    CHECK(
        file_error("[users.alice]\npassword = \"a\"\nadmin = true").find("users.alice.admin: unknown key") !=
        std::string::npos);
    CHECK(file_error("[users.\"a b\"]\npassword = \"a\"").find("a user's name is one word") !=
          std::string::npos);
    CHECK(file_error("[users.default]\npassword = \"a\"").find("the default user") != std::string::npos);
}
