#include "sidecar/core/command_table_data.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "sidecar/core/command_table.hpp"

using namespace sidecar;

TEST_CASE("every row is lower case, known once, and stands behind its container") {
    std::set<std::string_view> seen;
    for (const auto& row : command_rows()) {
        INFO(row.name);
        CHECK(seen.insert(row.name).second);
        for (const char c : row.name) CHECK_FALSE((c >= 'A' && c <= 'Z'));
        CHECK(row.arity != 0);
        const auto bar = row.name.find('|');
        if (bar == std::string_view::npos) continue;
        CHECK(seen.count(row.name.substr(0, bar)) == 1);
        CHECK((row.arity >= 2 || row.arity <= -2));
    }
}

TEST_CASE("no command both reads only and writes") {
    for (const auto& row : command_rows()) {
        INFO(row.name);
        CHECK((row.flags & (command_flag::write | command_flag::readonly)) !=
              (command_flag::write | command_flag::readonly));
    }
}

TEST_CASE("commands that may write without saying so are never taken for reads") {
    const command_table table;
    for (const auto* name :
         {"eval", "evalsha", "fcall", "publish", "spublish", "set", "blpop", "exec", "multi"}) {
        INFO(name);
        REQUIRE(table.find(name) != nullptr);
        CHECK_FALSE(table.find(name)->has(command_flag::readonly));
    }
    for (const auto* name : {"get", "mget", "hgetall", "scan", "zrange", "exists", "ttl"}) {
        INFO(name);
        CHECK(table.find(name)->has(command_flag::readonly));
    }
}

TEST_CASE("what may be said before authentication") {
    std::set<std::string> open;
    for (const auto& row : command_rows())
        if ((row.flags & command_flag::no_auth) != 0) open.insert(std::string(row.name));
    CHECK(open == std::set<std::string>{"auth", "hello", "quit", "reset"});
}

TEST_CASE("blocking commands are flagged") {
    const command_table table;
    for (const auto* name : {"blpop", "brpop", "blmove", "brpoplpush", "blmpop", "bzpopmin", "bzpopmax",
                             "bzmpop", "xread", "xreadgroup"}) {
        INFO(name);
        CHECK(table.find(name)->has(command_flag::blocking));
    }
}
