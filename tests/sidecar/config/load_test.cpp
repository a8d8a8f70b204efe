#include <catch2/catch.hpp>

#include "sidecar/config/options.hpp"
#include "tests/sidecar/config/fixture.hpp"

using namespace sidecar;
using namespace config_fixture;
using namespace std::chrono_literals;

namespace {

struct sample {
    std::string flag;
    std::string first;  // two good values that mean different things
    std::string second;
};

// Two good values of every setting but those that name files, which need one.
const std::vector<sample> samples{
    {"listen", "127.0.0.1:1", "127.0.0.1:2"},
    {"unix", "/tmp/a", "/tmp/b"},
    {"redis", "redis://a", "redis://b"},
    {"embedded", "yes", "no"},
    {"db0-redis", "redis://a", "redis://b"},
    {"db1-redis", "redis://a", "redis://b"},
    {"db2-redis", "redis://a", "redis://b"},
    {"data-dir", "a", "b"},
    {"password", "a", "b"},
    {"redis-password", "a", "b"},
    {"policy", "audit", "open"},
    {"http-token", "a", "b"},
    {"http-operator-token", "a", "b"},
    {"channels", "guard", "passthrough"},
    {"channels-dbs", "2", "3"},
    {"channels-on-disconnect", "a", "b"},
    {"channels-on-reconnect", "a", "b"},
    {"broker", "off", "observe"},
    {"broker-dbs", "1", "0"},
    {"broker-reserve", "yes", "no"},
    {"broker-orphans", "restore", "report"},
    {"broker-orphan-after", "1s", "2s"},
    {"broker-redeliveries-max", "2", "3"},
    {"broker-dead-undecodable", "yes", "no"},
    {"broker-trash-ttl", "1s", "2s"},
    {"broker-mask", "a", "b"},
    {"threads", "2", "3"},
    {"max-clients", "2", "3"},
    {"client-output-max", "1mb", "2mb"},
    {"max-leases", "2", "3"},
    {"hold", "1s", "2s"},
    {"db0-hold", "1s", "2s"},
    {"auth-timeout", "1s", "2s"},
    {"drain", "1s", "2s"},
    {"http", "127.0.0.1:1", "127.0.0.1:2"},
    {"log-level", "debug", "error"},
    {"log-json", "yes", "no"},
    {"slowlog-slower-than", "1ms", "2ms"},
};

std::string toml_line(const setting& entry, const std::string& value) {
    if (entry.kind == value_kind::toggle)
        return file_key(entry) + " = " + (value == "yes" ? "true" : "false") + "\n";
    if (entry.kind == value_kind::number || entry.kind == value_kind::number_list)
        return file_key(entry) + " = " + value + "\n";
    if (entry.kind == value_kind::list) return file_key(entry) + " = [\"" + value + "\"]\n";
    return file_key(entry) + " = \"" + value + "\"\n";
}

// What the setting is in a config, by giving it as a flag alone.
bool holds(const setting& entry, const config& settings, const std::string& value) {
    const config expected = good({"--" + std::string(entry.flag) + "=" + value});
    if (entry.flag == "redis") return settings.redis == expected.redis;
    return entry.same(settings, expected);
}

}  // namespace

TEST_CASE("nothing given, the defaults are those of the contract", "[config]") {
    const config settings = good({});
    CHECK(settings.listen == std::vector<endpoint>{{"127.0.0.1", 6379}});
    CHECK(settings.http == endpoint{"127.0.0.1", 8379});
    CHECK(settings.channels == channels_mode::guard);
    CHECK(settings.channels_dbs == std::vector<int>{1});
    CHECK(settings.channels_on_disconnect.empty());
    CHECK(settings.channels_on_reconnect.empty());
    CHECK(settings.broker == [] {
        broker_settings expected;
        expected.mask = {"password|secret|token|authorization|api_?key|cookie"};
        return expected;
    }());
    CHECK(settings.tls == tls_settings{});
    for (const redis_url& url : settings.redis) CHECK(masked(url) == "redis://127.0.0.1:6380");
    CHECK_FALSE(settings.embedded);
    CHECK(settings.password.empty());
    CHECK(settings.redis_password.empty());
    CHECK(settings.policy == policy_mode::strict);
    CHECK(settings.threads >= 1);
    CHECK(settings.threads <= 4);
    CHECK(settings.clients_max == 10'000);
    CHECK(settings.client_output_bytes_max == 64ULL << 20);
    CHECK(settings.leases_max == 512);
    CHECK(settings.hold == 3s);
    CHECK(settings.db0_hold == 3s);
    CHECK(settings.drain == 10s);
    CHECK(settings.slowlog_slower_than == 10ms);
    CHECK(settings.log_level == "info");
    CHECK_FALSE(settings.log_json);
}

TEST_CASE("channel layers live on the dbs named, as flags, in one text or as numbers of the file",
          "[config]") {
    const config unchanged = good({});
    CHECK(guards_channels(unchanged, 1));
    CHECK_FALSE(guards_channels(unchanged, 0));
    const config several = good({"--channels-dbs=1,3", "--channels-dbs=5"});
    CHECK(several.channels_dbs == std::vector<int>{1, 3, 5});
    CHECK(serves_channels(several, 5));
    CHECK(good({}, {{"SIDECAR_CHANNELS_DBS", "2, 4"}}).channels_dbs == std::vector<int>{2, 4});
    CHECK(good_file("channels_dbs = [0, 1]").channels_dbs == std::vector<int>{0, 1});
    CHECK(good_file("channels_dbs = 2").channels_dbs == std::vector<int>{2});
    const config passed = good({"--channels=passthrough"});
    CHECK(serves_channels(passed, 1));
    CHECK_FALSE(guards_channels(passed, 1));
}

TEST_CASE("a broker's dbs are inspected unless inspection is off", "[config]") {
    CHECK(inspects_broker(good({}), 2));
    CHECK_FALSE(inspects_broker(good({}), 1));
    CHECK(inspects_broker(good({"--broker-dbs=0,2"}), 0));
    CHECK_FALSE(inspects_broker(good({"--broker=off"}), 2));
}

TEST_CASE("names to mask are regular expressions; an empty one masks nothing", "[config]") {
    CHECK(good({"--broker-mask=pin", "--broker-mask=^iban$"}).broker.mask ==
          std::vector<std::string>{"pin", "^iban$"});
    CHECK(good({"--broker-mask="}).broker.mask.empty());
    CHECK(error({"--broker-mask=(a"}) == "--broker-mask: '(a' is not a regular expression");
}

TEST_CASE("every setting has two samples here or names a file", "[config]") {
    for (const setting& entry : all_settings()) {
        INFO(entry.flag);
        const bool sampled = std::any_of(samples.begin(), samples.end(),
                                         [&](const sample& s) { return s.flag == entry.flag; });
        CHECK(sampled != entry.flag.starts_with("tls-"));
    }
}

TEST_CASE("for every setting the flag wins over the variable, and the variable over the file", "[config]") {
    for (const sample& one : samples) {
        const setting& entry = *find_setting(one.flag);
        INFO(one.flag);
        const std::string env(entry.env);
        const temporary_file file(toml_line(entry, one.first));
        const std::vector<std::string> from_file{"--config", file.path()};
        CHECK(holds(entry, good(from_file), one.first));
        CHECK(holds(entry, good(from_file, {{env, one.second}}), one.second));
        CHECK(holds(entry, good({}, {{env, one.second}}), one.second));
        std::vector<std::string> with_flag = from_file;
        with_flag.push_back("--" + one.flag + "=" + one.first);
        CHECK(holds(entry, good(with_flag, {{env, one.second}}), one.first));
        with_flag.back() = "--" + one.flag + "=" + one.second;
        CHECK(holds(entry, good(with_flag, {{env, one.first}}), one.second));
    }
}

TEST_CASE("a list of the stronger origin replaces that of the weaker", "[config]") {
    const temporary_file file("listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]");
    CHECK(good({"--config", file.path()}).listen.size() == 2);
    CHECK(good({"--config", file.path(), "--listen", "127.0.0.1:3"}).listen ==
          std::vector<endpoint>{{"127.0.0.1", 3}});
}

TEST_CASE("an empty variable counts as unset", "[config]") {
    const temporary_file file("hold = 7\npassword = \"file\"");
    const config settings = good({"--config", file.path()}, {{"SIDECAR_HOLD", ""}, {"REDIS_PASSWORD", ""}});
    CHECK(settings.hold == 7s);
    CHECK(settings.password == "file");
}

TEST_CASE("one setting's value is another's default", "[config]") {
    const config settings = good(
        {"--redis", "redis://all", "--db1-redis", "redis://one", "--hold", "8s", "--password", "secret"});
    CHECK(masked(settings.redis[0]) == "redis://all:6379");
    CHECK(masked(settings.redis[1]) == "redis://one:6379");
    CHECK(masked(settings.redis[2]) == "redis://all:6379");
    CHECK(settings.db0_hold == 8s);
    CHECK(settings.redis_password == "secret");
    CHECK(good({"--hold", "8s", "--db0-hold", "1s"}).db0_hold == 1s);
    CHECK(good({"--password", "a", "--redis-password", "b"}).redis_password == "b");
    CHECK(good({"--password", "a", "--redis-password", ""}).redis_password.empty());
    // A weaker origin's own value still goes before the stronger origin's value of the other setting.
    CHECK(good({"--hold", "8s"}, {{"SIDECAR_DB0_HOLD", "1s"}}).db0_hold == 1s);
}

TEST_CASE("a URL's own password goes before --redis-password", "[config]") {
    const config settings =
        good({"--redis", "redis://h", "--db2-redis", "redis://:own@h", "--password", "common"});
    CHECK(upstream_password(settings, 0) == "common");
    CHECK(upstream_password(settings, 2) == "own");
}

TEST_CASE("the flag --embedded serves the dbs without a URL of their own", "[config]") {
    const config settings = good({"--embedded", "--db2-redis", "redis://h", "--password", "secret"});
    CHECK(settings.embedded);
    CHECK(settings.redis[0].scheme == url_scheme::unix_socket);
    CHECK(settings.redis[0].path.empty());
    CHECK(masked(settings.redis[2]) == "redis://h:6379");
    CHECK(upstream_password(settings, 0).empty());
    CHECK(upstream_password(settings, 2) == "secret");
}

TEST_CASE("of --embedded and --redis the stronger origin wins, equal ones are refused", "[config]") {
    CHECK(good({"--embedded"}, {{"SIDECAR_REDIS_URL", "redis://h"}}).embedded);
    const config settings = good({"--redis", "redis://h"}, {{"SIDECAR_EMBEDDED", "yes"}});
    CHECK_FALSE(settings.embedded);
    CHECK(masked(settings.redis[0]) == "redis://h:6379");
    CHECK(error({"--embedded", "--redis", "redis://h"}) == "--embedded: cannot be combined with --redis");
    CHECK(masked(good({"--embedded=no", "--redis", "redis://h"}).redis[0]) == "redis://h:6379");
}

TEST_CASE("the file may be named by the environment, the flag goes before it", "[config]") {
    const temporary_file one("threads = 1");
    const temporary_file two("threads = 2");
    CHECK(good({}, {{"SIDECAR_CONFIG", one.path()}}).threads == 1);
    CHECK(good({"--config", two.path()}, {{"SIDECAR_CONFIG", one.path()}}).threads == 2);
}

TEST_CASE("what changed and needs a restart is named", "[config]") {
    const config old = good({});
    CHECK(restart_needed(old, old).empty());
    const config live = good({"--password",
                              "a",
                              "--policy",
                              "open",
                              "--hold",
                              "1s",
                              "--db0-hold",
                              "2s",
                              "--drain",
                              "1s",
                              "--client-output-max",
                              "1mb",
                              "--max-clients",
                              "5",
                              "--log-level",
                              "debug",
                              "--log-json",
                              "--slowlog-slower-than",
                              "off",
                              "--http-token",
                              "a",
                              "--http-operator-token",
                              "b",
                              "--redis-password",
                              "c"});
    CHECK(restart_needed(old, live).empty());
    const config fixed = good({"--listen", "127.0.0.1:1", "--threads", old.threads == 1 ? "2" : "1", "--http",
                               "off", "--db1-redis", "redis://h"});
    CHECK(restart_needed(old, fixed) ==
          std::vector<std::string>{"--listen", "--db1-redis", "--threads", "--http"});
}

TEST_CASE("the slowlog can be switched off", "[config]") {
    CHECK(good({"--slowlog-slower-than", "off"}).slowlog_slower_than == std::chrono::microseconds::max());
}

TEST_CASE("settings that do not go together are named", "[config]") {
    const temporary_file file("x");
    CHECK(error({"--tls-listen", "127.0.0.1:1"}) == "--tls-listen: needs --tls-cert and --tls-key");
    CHECK(error({"--tls-cert", file.path()}) == "--tls-cert: needs --tls-key as well");
    CHECK(error({}, {{"SIDECAR_TLS_KEY", file.path()}}) == "SIDECAR_TLS_KEY: needs --tls-cert as well");
    CHECK(error({"--listen", "off"}) ==
          "--listen: nothing to listen on; give --listen, --tls-listen or --unix");
    CHECK(error({"--http", "127.0.0.1:6379"}) == "--http: 127.0.0.1:6379 is already taken by --listen");
    CHECK(error({"--listen", "127.0.0.1:1,127.0.0.1:1"}) ==
          "--listen: 127.0.0.1:1 is already taken by --listen");
    CHECK(error({"--listen", "127.0.0.1:0,127.0.0.1:0"}) == "accepted");
}
