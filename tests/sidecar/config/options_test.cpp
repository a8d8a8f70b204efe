#include <catch2/catch.hpp>

#include "sidecar/config/options.hpp"
#include "tests/sidecar/config/fixture.hpp"

using namespace sidecar;
using namespace config_fixture;

namespace {

struct bad_sample {
    std::string flag;
    std::string value;
    std::string why;  // the whole line after the setting's name
};

const std::vector<bad_sample> bad_samples{
    {"listen", "6379", "'6379' is not HOST:PORT: the port is missing"},
    {"unix", std::string(108, 'x'),
     "'" + std::string(108, 'x') + "' is longer than the 107 bytes of a socket address"},
    {"tls-listen", "host:port", "'host:port' is not HOST:PORT: the port must be a number from 0 to 65535"},
    {"tls-cert", "/no/such.pem", "cannot read '/no/such.pem': No such file or directory"},
    {"tls-key", "/no/such.pem", "cannot read '/no/such.pem': No such file or directory"},
    {"tls-ca", "/tmp", "'/tmp' is a directory"},
    {"redis", "redis://:pw@h:0",
     "'redis://:***@h:0' is not a usable Redis URL: the port must be a number from 1 to 65535"},
    {"embedded", "perhaps", "'perhaps' is neither yes nor no"},
    {"db0-redis", "h:1", "'h:1' is not a Redis URL: it must start with redis://, rediss:// or unix://"},
    {"db1-redis", "h:1", "'h:1' is not a Redis URL: it must start with redis://, rediss:// or unix://"},
    {"db2-redis", "redis://h/2",
     "'redis://h/2' is not a usable Redis URL: nothing may follow the address: the db is not chosen by the "
     "URL"},
    {"data-dir", "a\tb", "'a\\x09b' contains control characters"},
    {"password", std::string(513, 'x'), "longer than 512 bytes"},
    {"redis-password", std::string(513, 'x'), "longer than 512 bytes"},
    {"policy", "lax", "'lax' is none of strict, audit, open"},
    {"http-token", "two words", "contains characters that no Authorization header can carry"},
    {"http-operator-token", "two words", "contains characters that no Authorization header can carry"},
    {"channels", "off", "'off' is none of guard, passthrough"},
    {"channels-dbs", "16", "'16' is not a number from 0 to 15"},
    {"channels-on-disconnect", "two words",
     "'two words' is no message type: one word of at most 100 characters"},
    {"channels-on-reconnect", std::string(101, 'x'),
     "'" + std::string(101, 'x') + "' is no message type: one word of at most 100 characters"},
    {"broker", "on", "'on' is none of observe, off"},
    {"broker-dbs", "x", "'x' is not a number from 0 to 15"},
    {"broker-reserve", "perhaps", "'perhaps' is neither yes nor no"},
    {"broker-orphans", "kill", "'kill' is none of report, restore"},
    {"broker-orphan-after", "25h", "'25h' is more than a day"},
    {"broker-redeliveries-max", "-1", "'-1' is not a number from 0 to 1000000"},
    {"broker-dead-undecodable", "perhaps", "'perhaps' is neither yes nor no"},
    {"broker-trash-ttl", "0", "'0' is not between 1s and 8760h"},
    {"broker-mask", "[a", "'[a' is not a regular expression"},
    {"threads", "65", "'65' is not a number from 1 to 64"},
    {"max-clients", "0", "'0' is not a number from 1 to 10000000"},
    {"client-output-max", "12", "'12' is less than 1024 bytes"},
    {"max-leases", "0", "'0' is not a number from 1 to 100000"},
    {"hold", "3 parsecs", "'3 parsecs' is not a duration such as 3s, 500ms, 2m or 1h"},
    {"db0-hold", "25h", "'25h' is more than a day"},
    {"auth-timeout", "soonish", "'soonish' is not a duration such as 3s, 500ms, 2m or 1h"},
    {"drain", "soon", "'soon' is not a duration such as 3s, 500ms, 2m or 1h"},
    {"http", "[::1:1", "'[::1:1' is not HOST:PORT: the bracket of the IPv6 address is not closed"},
    {"log-level", "loud", "'loud' is none of trace, debug, info, warn, error, off"},
    {"log-json", "perhaps", "'perhaps' is neither yes nor no"},
    {"slowlog-slower-than", "never", "'never' is not a duration such as 3s, 500ms, 2m or 1h"},
};

std::string toml_text(const std::string& value) {
    std::string text = "\"";
    for (const char c : value) text += c == '\t' ? std::string("\\t") : std::string(1, c);
    return text + "\"";
}

}  // namespace

TEST_CASE("every setting's bad value ends in one line that names the flag", "[config]") {
    for (const bad_sample& one : bad_samples)
        CHECK(error({"--" + one.flag + "=" + one.value}) == "--" + one.flag + ": " + one.why);
}

TEST_CASE("every setting's bad value ends in one line that names the variable", "[config]") {
    for (const bad_sample& one : bad_samples) {
        const std::string env(find_setting(one.flag)->env);
        CHECK(error({}, {{env, one.value}}) == env + ": " + one.why);
    }
}

TEST_CASE("every setting's bad value ends in one line that names file and key", "[config]") {
    for (const bad_sample& one : bad_samples) {
        const setting& entry = *find_setting(one.flag);
        const std::string key = file_key(entry);
        if (entry.kind == value_kind::number) {
            CHECK(file_error(key + " = " + one.value) == "FILE: " + key + ": " + one.why);
        } else if (entry.kind != value_kind::toggle) {
            CHECK(file_error(key + " = " + toml_text(one.value)) == "FILE: " + key + ": " + one.why);
        }
    }
}

TEST_CASE("every setting has a bad value here", "[config]") {
    for (const setting& entry : all_settings()) {
        INFO(entry.flag);
        CHECK(std::any_of(bad_samples.begin(), bad_samples.end(),
                          [&](const bad_sample& s) { return s.flag == entry.flag; }));
    }
}

TEST_CASE("every setting of the wrong type in the file ends in one line", "[config]") {
    for (const setting& entry : all_settings()) {
        const std::string key = file_key(entry);
        INFO(key);
        CHECK(file_error(key + " = 1979-05-27").find("--config: FILE: " + key + ": must be ") == 0);
        CHECK(file_error(key + " = { a = 1 }").find(", not a table") != std::string::npos);
    }
    CHECK(file_error("threads = \"4\"") == "--config: FILE: threads: must be a whole number, not a text");
    CHECK(file_error("threads = 1.5") == "--config: FILE: threads: must be a whole number, not a number");
    CHECK(file_error("threads = -1") == "FILE: threads: '-1' is not a number from 1 to 64");
    CHECK(file_error("log_json = \"yes\"") == "--config: FILE: log_json: must be true or false, not a text");
    CHECK(file_error("listen = [1]") == "--config: FILE: listen: must be a list of texts, not a number");
    CHECK(file_error("channels_dbs = [\"1\"]") ==
          "--config: FILE: channels_dbs: must be a list of numbers, not a text");
    CHECK(file_error("redis = 6379") == "--config: FILE: redis: must be a text, not a number");
}
