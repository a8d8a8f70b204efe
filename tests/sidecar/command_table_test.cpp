#include "sidecar/core/command_table.hpp"

#include <catch2/catch.hpp>

#include "resp/value.hpp"

using namespace sidecar;

namespace {

std::size_t learn(command_table& table, const std::string& reply) {
    const auto value = resp::parse_value(reply);
    REQUIRE(value);
    return table.learn(*value);
}

const std::string tail = "*0\r\n*0\r\n";

std::string entry(const std::string& name, int arity, const std::string& flags, const std::string& categories,
                  const std::string& subcommands = "*0\r\n") {
    return "*10\r\n$" + std::to_string(name.size()) + "\r\n" + name + "\r\n:" + std::to_string(arity) +
           "\r\n" + flags + ":1\r\n:-1\r\n:2\r\n" + categories + tail + subcommands;
}

}  // namespace

TEST_CASE("commands are found in any case, and only by their whole name") {
    const command_table table;
    const auto* get = table.find("get");
    REQUIRE(get != nullptr);
    CHECK(table.find("GeT") == get);
    CHECK(get->has(command_flag::readonly));
    CHECK_FALSE(get->has(command_flag::write));
    CHECK(get->arity == 2);
    CHECK(table.find("ge") == nullptr);
    CHECK(table.find("gett") == nullptr);
    CHECK(table.find("") == nullptr);
    CHECK(table.find("config|get") == nullptr);
    CHECK(table.find(std::string(1000, 'a')) == nullptr);
    CHECK(table.find(std::string_view("get\0", 4)) == nullptr);
}

TEST_CASE("subcommands belong to their container") {
    const command_table table;
    const auto* config = table.find("CONFIG");
    REQUIRE(config != nullptr);
    CHECK(config->has(command_flag::container));
    const auto* get = table.find_sub(*config, "GET");
    REQUIRE(get != nullptr);
    CHECK(get->name == "config|get");
    CHECK(get->index == config->index);
    CHECK(table.find_sub(*config, "nope") == nullptr);
    CHECK(table.find_sub(*config, "") == nullptr);
    CHECK(table.find_sub(*config, std::string(1000, 'a')) == nullptr);
    CHECK(table.find_sub(*config, "get|x") == nullptr);
}

TEST_CASE("arity") {
    command_spec spec;
    spec.arity = 2;
    CHECK(spec.arity_fits(2));
    CHECK_FALSE(spec.arity_fits(1));
    CHECK_FALSE(spec.arity_fits(3));
    spec.arity = -2;
    CHECK_FALSE(spec.arity_fits(1));
    CHECK(spec.arity_fits(2));
    CHECK(spec.arity_fits(2'000'000));
}

TEST_CASE("indexes are dense and name their command") {
    const command_table table;
    CHECK(table.size() > 200);
    for (std::size_t i = 0; i < table.size(); ++i) {
        const auto& spec = table.at_index(static_cast<std::uint16_t>(i));
        CHECK(spec.index == i);
        CHECK(table.find(spec.name) == &spec);
    }
}

TEST_CASE("words of other protocols are traps") {
    const command_table table;
    for (const auto* word : {"POST", "Host:"}) {
        REQUIRE(table.find(word) != nullptr);
        CHECK(table.find(word)->id == verb::security_trap);
    }
}

TEST_CASE("a newer Redis teaches new commands and corrects known ones") {
    command_table table;
    const auto before = table.size();
    const auto* get = table.find("get");
    const std::string sub = "*1\r\n" + entry("future|now", 3, "*1\r\n+write\r\n", "*0\r\n");
    CHECK(learn(table, "*3\r\n" +
                           entry("future", -2, "*2\r\n+blocking\r\n+fast\r\n", "*1\r\n+@dangerous\r\n", sub) +
                           entry("get", -2, "*1\r\n+readonly\r\n", "*0\r\n") +
                           entry("set", -3, "*2\r\n+write\r\n+denyoom\r\n", "*0\r\n")) >= 3);
    CHECK(table.size() == before + 1);
    const auto* future = table.find("FUTURE");
    REQUIRE(future != nullptr);
    CHECK(future->id == verb::other);
    CHECK(future->has(command_flag::blocking | command_flag::dangerous));
    CHECK(future->has(command_flag::container));
    CHECK(future->key_step == 2);
    REQUIRE(table.find_sub(*future, "now") != nullptr);
    CHECK(table.find_sub(*future, "now")->arity == 3);
    CHECK(table.find("get") == get);
    CHECK(get->arity == -2);
    CHECK(get->has(command_flag::readonly));
}

TEST_CASE("what is learnt twice changes nothing the second time") {
    command_table table;
    const std::string reply = "*1\r\n" + entry("future", 2, "*1\r\n+write\r\n", "*0\r\n");
    CHECK(learn(table, reply) == 1);
    const auto size = table.size();
    CHECK(learn(table, reply) == 0);
    CHECK(table.size() == size);
}

TEST_CASE("the sidecar's own knowledge survives learning") {
    command_table table;
    (void)learn(table, "*1\r\n" + entry("config", -2, "*0\r\n", "*0\r\n"));
    CHECK(table.find("config")->has(command_flag::container));
    CHECK(table.find("multi")->id == verb::multi);
}

TEST_CASE("what is not shaped like a COMMAND reply is ignored") {
    command_table table;
    const auto size = table.size();
    for (const auto* reply : {"+OK\r\n", "*0\r\n", "*1\r\n+x\r\n", "*1\r\n*1\r\n+x\r\n", "_\r\n",
                              "*1\r\n*7\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n"})
        CHECK(learn(table, reply) == 0);
    CHECK(learn(table, "*1\r\n" + entry(std::string(500, 'n'), 1, "*0\r\n", "*0\r\n")) == 0);
    CHECK(table.size() == size);
}

TEST_CASE("an upstream cannot make the table grow without end") {
    command_table table;
    std::string reply = "*20000\r\n";
    for (int i = 0; i < 20'000; ++i) reply += entry("c" + std::to_string(i), 1, "*0\r\n", "*0\r\n");
    (void)learn(table, reply);
    CHECK(table.size() <= 10'000);
}

TEST_CASE("a name in its frame is found as any other, however often and however spelt") {
    command_table table;
    for (int round = 0; round < 2; ++round)
        for (const std::string_view name : {"get", "GET", "GeT", "set", "lpush", "getrange", "GETRANGE",
                                            "zremrangebyscore", "ge", "gett", "g"}) {
            const std::string frame =
                "*1\r\n$" + std::to_string(name.size()) + "\r\n" + std::string(name) + "\r\n";
            const auto in_frame = std::string_view(frame).substr(frame.size() - name.size() - 2, name.size());
            INFO(name);
            CHECK(table.find_framed(in_frame) == table.find(name));
        }
    const std::string nul("*1\r\n$4\r\nGET\0\r\n", 14);
    CHECK(table.find_framed(std::string_view(nul).substr(8, 4)) == nullptr);
    CHECK(table.find_framed(std::string_view(nul).substr(8, 3)) == table.find("get"));
}
