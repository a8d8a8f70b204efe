#include "sidecar/core/policy.hpp"

#include <algorithm>
#include <sstream>

#include "resp/glob.hpp"
#include "sidecar/core/command_table_data.hpp"

using namespace sidecar;

namespace {

const command_table& table() {
    static const command_table commands;
    return commands;
}

std::vector<std::string> words(const std::string& line) {
    std::istringstream in(line);
    std::vector<std::string> out;
    for (std::string word; in >> word;) out.push_back(word);
    return out;
}

std::optional<refusal> judge(const policy& rules, int db, const std::string& line, const user& who = {}) {
    const auto owned = words(line);
    const std::vector<std::string_view> args(owned.begin(), owned.end());
    const command_spec* spec = table().find(args[0]);
    INFO(line);
    REQUIRE(spec != nullptr);
    const bool container = spec->has(command_flag::container) && args.size() > 1;
    const command_spec* sub = container ? table().find_sub(*spec, args[1]) : nullptr;
    const auto verdict = rules.check(db, who, *spec, sub, args);
    if (verdict && verdict->scope == refusal_scope::split) CHECK(rules.must_check(*spec));
    return verdict;
}

std::string rule_of(const policy& rules, int db, const std::string& line, const user& who = {}) {
    const auto verdict = judge(rules, db, line, who);
    return verdict ? std::string(verdict->rule) : "allowed";
}

const policy strict{policy_mode::strict};

user limited_to(std::uint32_t mask) {
    user who;
    who.name = "worker";
    who.database_mask = mask;
    return who;
}

user reader() {
    user who;
    who.name = "reader";
    who.readonly = true;
    return who;
}

bool has(const std::vector<std::string>& rules, std::string_view rule) {
    return std::find(rules.begin(), rules.end(), rule) != rules.end();
}

auto place(const std::vector<std::string>& rules, std::string_view rule) {
    REQUIRE(has(rules, rule));
    return std::find(rules.begin(), rules.end(), rule) - rules.begin();
}

}  // namespace

TEST_CASE("strict lets every db do its ordinary work", "[policy]") {
    for (const char* line : {"GET a",
                             "SET a b",
                             "DEL a",
                             "PING",
                             "SCAN 0",
                             "MULTI",
                             "EXEC",
                             "WATCH a",
                             "EVAL x 0",
                             "EVALSHA x 0",
                             "FCALL f 0",
                             "SCRIPT LOAD x",
                             "SCRIPT KILL",
                             "SCRIPT FLUSH",
                             "FUNCTION LOAD x",
                             "FUNCTION LIST",
                             "FUNCTION FLUSH",
                             "DBSIZE",
                             "BLPOP a 1",
                             "XINFO STREAM a",
                             "OBJECT ENCODING a",
                             "INFO",
                             "INFO server",
                             "LASTSAVE",
                             "ROLE",
                             "SORT a",
                             "SORT_RO a",
                             "COMMAND",
                             "COMMAND COUNT",
                             "COMMAND DOCS get",
                             "MEMORY USAGE a",
                             "MEMORY DOCTOR",
                             "CLIENT LIST",
                             "CLIENT KILL ID 1",
                             "CLIENT ID",
                             "CLIENT SETNAME x",
                             "CLIENT REPLY OFF",
                             "CLIENT NO-EVICT on",
                             "CLIENT UNBLOCK 1",
                             "CLIENT TRACKING on",
                             "ACL WHOAMI",
                             "ACL CAT",
                             "AUTH x",
                             "HELLO 3",
                             "SELECT 1",
                             "RESET",
                             "WAIT 0 0",
                             "PUBSUB CHANNELS",
                             "UNSUBSCRIBE asgi",
                             "PUNSUBSCRIBE /2.*",
                             "SIDECAR POOLS",
                             "CONFIG HELP"}) {
        for (int db = 0; db < 3; ++db) CHECK(rule_of(strict, db, line) == "allowed");
    }
}

TEST_CASE("strict refuses what reaches into other dbs", "[policy]") {
    for (const char* line : {"MOVE a 1", "SWAPDB 0 1", "FLUSHALL", "FLUSHALL ASYNC", "MIGRATE h 1 k 0 10",
                             "REPLICAOF h 1", "SLAVEOF no one", "FAILOVER", "move a 0"}) {
        for (int db = 0; db < 3; ++db) CHECK(rule_of(strict, db, line) == "cross-db");
    }
}

TEST_CASE("COPY stays in its db", "[policy]") {
    CHECK(rule_of(strict, 1, "COPY a b") == "allowed");
    CHECK(rule_of(strict, 1, "COPY a b REPLACE") == "allowed");
    CHECK(rule_of(strict, 1, "COPY db db") == "allowed");
    CHECK(rule_of(strict, 1, "COPY a b DB 1") == "allowed");
    CHECK(rule_of(strict, 1, "COPY a b DB nowhere") == "allowed");
    CHECK(rule_of(strict, 1, "COPY a b DB") == "allowed");
    CHECK(rule_of(strict, 1, "COPY a b DB 0") == "cross-db");
    CHECK(rule_of(strict, 1, "copy a b replace db 2") == "cross-db");
    CHECK(rule_of(strict, 1, "COPY a b DB 1 DB 2") == "cross-db");
    CHECK(rule_of(strict, 1, "COPY a b DB 9") == "cross-db");
}

TEST_CASE("FLUSHDB and KEYS are for db 0", "[policy]") {
    CHECK(rule_of(strict, 0, "FLUSHDB") == "allowed");
    CHECK(rule_of(strict, 0, "KEYS *") == "allowed");
    for (int db = 1; db < 3; ++db) {
        CHECK(rule_of(strict, db, "FLUSHDB ASYNC") == "flushdb");
        CHECK(rule_of(strict, db, "KEYS *") == "keys");
    }
}

TEST_CASE("strict refuses administration", "[policy]") {
    for (const char* line : {"SHUTDOWN",       "SAVE",           "BGSAVE",         "BGREWRITEAOF",
                             "DEBUG SLEEP 1",  "MONITOR",        "SYNC",           "PSYNC ? -1",
                             "REPLCONF x",     "CONFIG SET a b", "CONFIG REWRITE", "CONFIG RESETSTAT",
                             "ACL SETUSER x",  "ACL LIST",       "ACL GETUSER x",  "ACL LOG",
                             "CLIENT PAUSE 1", "CLIENT UNPAUSE", "CLUSTER RESET",  "CLUSTER MEET h 1",
                             "MODULE LOAD x",  "MODULE LIST",    "SLOWLOG GET",    "SLOWLOG RESET",
                             "LATENCY RESET",  "PFDEBUG x y"}) {
        for (int db = 0; db < 3; ++db) CHECK(rule_of(strict, db, line) == "admin");
    }
    CHECK(rule_of(strict, 0, "RESTORE k 0 x") == "dangerous");
    CHECK(rule_of(strict, 0, "SCRIPT DEBUG yes") == "script-debug");
}

TEST_CASE("CONFIG GET shows no secret", "[policy]") {
    for (const char* line : {"CONFIG GET maxmemory", "CONFIG GET save appendonly", "CONFIG GET max*",
                             "config get PORT", "CONFIG GET [^a-z]*", "CONFIG GET"}) {
        CHECK(rule_of(strict, 0, line) == "allowed");
    }
    for (const char* line :
         {"CONFIG GET *", "CONFIG GET requirepass", "CONFIG GET RequirePass", "CONFIG GET save requirepass",
          "CONFIG GET *pass", "CONFIG GET master*", "CONFIG GET masterauth", "CONFIG GET masteruse?",
          "CONFIG GET TLS*", "CONFIG GET [R]equire*", "CONFIG GET \\r*", "CONFIG GET tls-key-file-pass",
          "CONFIG GET tls-client-key-file-pass", "CONFIG GET [Q-S]*"}) {
        CHECK(rule_of(strict, 0, line) == "config-secret");
    }
}

TEST_CASE("channel names are owned by their db", "[policy]") {
    CHECK(rule_of(strict, 2, "PUBLISH /2.celery.pidbox m") == "allowed");
    CHECK(rule_of(strict, 0, "PUBLISH /2.celery.pidbox m") == "channel");
    CHECK(rule_of(strict, 0, "PUBLISH free asgi") == "allowed");
    CHECK(rule_of(strict, 1, "PUBLISH asgi.x m") == "allowed");
    CHECK(rule_of(strict, 2, "spublish asgi.x m") == "channel");
    CHECK(rule_of(strict, 1, "SUBSCRIBE asgi.a free") == "allowed");
    CHECK(rule_of(strict, 0, "SUBSCRIBE free asgi.a") == "channel");
    CHECK(rule_of(strict, 0, "SSUBSCRIBE __keyevent@2__:expired") == "channel");
    CHECK(rule_of(strict, 0, "SUBSCRIBE __keyevent@0__:expired") == "allowed");
    CHECK(rule_of(strict, 0, "PSUBSCRIBE *") == "allowed");
    CHECK(rule_of(strict, 0, "PSUBSCRIBE a* /2.*") == "channel");
    CHECK(rule_of(strict, 2, "PSUBSCRIBE /2.celery.pidbox*") == "allowed");
    CHECK(rule_of(strict, 2, "PSUBSCRIBE \\asgi*") == "channel");
    CHECK(rule_of(strict, 0, "SUBSCRIBE /2.*") == "channel");
}

TEST_CASE("refusals speak as Redis does and name the rule", "[policy]") {
    CHECK(judge(strict, 0, "FLUSHALL")->error ==
          "NOPERM this user has no permissions to run the 'flushall' command (sidecar policy: cross-db)");
    CHECK(judge(strict, 0, "Config SET a b")->error ==
          "NOPERM this user has no permissions to run the 'config|set' command (sidecar policy: admin)");
    CHECK(judge(strict, 0, "PUBLISH asgi m")->error ==
          "NOPERM this user has no permissions to access one of the channels used as arguments"
          " (sidecar policy: channel)");
    CHECK(judge(strict, 0, "FLUSHALL")->scope == refusal_scope::split);
}

TEST_CASE("no command but these is free of the check", "[policy]") {
    // Whatever check() may refuse must be marked, or the hot path would let it through.
    for (const auto& row : command_rows()) {
        const std::string name(row.name);
        const std::size_t bar = name.find('|');
        std::string line = bar == std::string::npos ? name : name.substr(0, bar) + ' ' + name.substr(bar + 1);
        for (int i = 0; i < 6; ++i) line += " asgi";
        for (int db = 0; db < 3; ++db) judge(strict, db, line);
    }
    for (const char* name :
         {"get", "set", "eval", "brpop", "lpush", "exec", "multi", "ping", "zadd", "xadd"}) {
        CHECK_FALSE(strict.must_check(*table().find(name)));
    }
}

TEST_CASE("audit answers as strict, open refuses nothing of the split", "[policy]") {
    const policy audit{policy_mode::audit};
    const policy open{policy_mode::open};
    for (const char* line :
         {"FLUSHALL", "CONFIG SET a b", "COPY a b DB 2", "PUBLISH asgi x", "FLUSHDB", "CONFIG GET *"}) {
        CHECK(rule_of(audit, 2, line) == rule_of(strict, 2, line));
        CHECK(rule_of(open, 2, line) == "allowed");
    }
    CHECK_FALSE(open.must_check(*table().find("flushall")));
}

TEST_CASE("users work only on their dbs, in every mode", "[policy]") {
    const user who = limited_to(1U << 2);
    for (const policy_mode mode : {policy_mode::strict, policy_mode::audit, policy_mode::open}) {
        const policy rules{mode};
        for (const char* line : {"PING", "HELLO 3", "AUTH x", "SELECT 2", "CLIENT SETNAME x", "ECHO x",
                                 "QUIT", "RESET", "SIDECAR POOLS", "COMMAND"}) {
            CHECK(rule_of(rules, 0, line, who) == "allowed");
        }
        for (const char* line :
             {"GET a", "PUBLISH free x", "SUBSCRIBE free", "EVAL x 0", "MULTI", "INFO", "XINFO STREAM a"}) {
            CHECK(rule_of(rules, 0, line, who) == "user-db");
            CHECK(rule_of(rules, 2, line, who) == "allowed");
        }
        CHECK(judge(rules, 0, "GET a", who)->scope == refusal_scope::user);
    }
    CHECK(rule_of(policy{policy_mode::open}, 40, "GET a", limited_to(~0U)) == "user-db");
}

TEST_CASE("read-only users write nothing", "[policy]") {
    for (const policy_mode mode : {policy_mode::strict, policy_mode::open}) {
        const policy rules{mode};
        for (const char* line : {"SET a b", "FLUSHDB", "COPY a b", "SORT a", "GETEX a",
                                 "XREADGROUP GROUP g c STREAMS s >", "FUNCTION LOAD x", "BLPOP a 1"}) {
            CHECK(rule_of(rules, 0, line, reader()) == "user-readonly");
        }
        for (const char* line :
             {"GET a", "SORT_RO a", "EVAL x 0", "FCALL f 0", "PUBLISH free x", "MULTI", "SCAN 0"}) {
            CHECK(rule_of(rules, 0, line, reader()) == "allowed");
        }
    }
    CHECK(judge(strict, 0, "SET a b", reader())->error ==
          "NOPERM this user has no permissions to run the 'set' command (sidecar policy: user-readonly)");
}

TEST_CASE("SELECT knows the dbs of its mode", "[policy]") {
    const std::string out_of_range = "ERR DB index is out of range";
    const policy audit{policy_mode::audit};
    const policy open{policy_mode::open};
    for (const char* index : {"0", "1", "2"}) {
        CHECK_FALSE(strict.check_select(index));
        CHECK_FALSE(audit.check_select(index));
    }
    for (const char* index : {"3", "15"}) {
        CHECK(strict.check_select(index)->error == out_of_range);
        CHECK(strict.check_select(index)->rule == "select");
        CHECK(audit.check_select(index)->error == out_of_range);
        CHECK_FALSE(open.check_select(index));
    }
    for (const policy& rules : {strict, open}) {
        for (const char* index : {"16", "-1", "2147483647"}) {
            CHECK(rules.check_select(index)->error == out_of_range);
            CHECK(rules.check_select(index)->rule.empty());
        }
        for (const char* index : {"", "abc", "01", "+1", " 1", "1.5", "-0", "99999999999999999999"}) {
            CHECK(rules.check_select(index)->error == "ERR value is not an integer or out of range");
        }
        CHECK(rules.check_select("2147483648")->error ==
              "ERR value is out of range, value must between -2147483648 and 2147483647");
    }
}

TEST_CASE("upstream users confine scripts to their db", "[policy]") {
    for (int db = 0; db < 3; ++db) {
        const auto rules = strict.upstream_acl_rules(db, false);
        CHECK(rules.front() == "reset");
        CHECK(place(rules, "+@all") < place(rules, "-@dangerous"));
        CHECK(place(rules, "-@dangerous") < place(rules, "+info"));
        for (const char* denied : {"-select", "-move", "-copy", "-@admin", "-script|debug"})
            CHECK(has(rules, denied));
        CHECK(has(rules, "+flushdb") == (db == 0));
        CHECK(has(rules, "+keys"));
        const auto reaches = [&](std::string_view channel) {
            return std::any_of(rules.begin(), rules.end(), [&](std::string_view rule) {
                return rule.starts_with('&') && resp::glob_match(rule.substr(1), channel);
            });
        };
        CHECK(reaches("/2.x") == (db == 2));
        CHECK(reaches("asgi.x") == (db == 1));
        CHECK(reaches("celery-task-meta-1"));
    }
}

TEST_CASE("upstream users of read-only clients lose the writes last", "[policy]") {
    const auto rules = strict.upstream_acl_rules(0, true);
    CHECK(place(rules, "-@write") > place(rules, "+flushdb"));
    CHECK(place(rules, "-@write") > place(rules, "+sort"));
    for (const policy_mode mode : {policy_mode::audit, policy_mode::open}) {
        CHECK(policy{mode}.upstream_acl_rules(0, false).empty());
        const auto plain = policy{mode}.upstream_acl_rules(0, true);
        CHECK(place(plain, "+@all") < place(plain, "-@write"));
    }
}
