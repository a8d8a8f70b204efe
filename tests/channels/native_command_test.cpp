#include "channels/native_command.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace native = channels::native;
using native::mistake;
using words = std::vector<std::string_view>;
using std::chrono::milliseconds;

namespace {

native::command parse(const words& args) {
    return native::parse(args, 1'000);
}

template <class T>
T as(const words& args) {
    const auto got = parse(args);
    if (const auto* wrong = std::get_if<mistake>(&got)) FAIL(wrong->error);
    REQUIRE(std::holds_alternative<T>(got));
    return std::get<T>(got);
}

std::string error(const words& args) {
    const auto got = parse(args);
    return std::holds_alternative<mistake>(got) ? std::get<mistake>(got).error : "none";
}

bool fails(const words& args, std::string_view prefix) {
    return error(args).starts_with(std::string(prefix) + " ");
}

}  // namespace

TEST_CASE("hello: what is not said has its default") {
    const auto plain = as<native::hello>({"CH.HELLO", "asgi", "specific.ab"});
    CHECK(plain.prefix == "asgi");
    CHECK(plain.process == "specific.ab");
    CHECK(plain.agreed.expiry == milliseconds(60'000));
    CHECK(plain.agreed.group_expiry == milliseconds(86'400'000));
    CHECK(plain.agreed.grace == milliseconds(10'000));
    CHECK(plain.agreed.capacities.default_capacity() == 100);
    CHECK(plain.agreed.message_bytes_max == 1U << 20);
    const auto full =
        as<native::hello>({"ch.hello", "p:1",   "s", "EXPIRY",  "5",    "gexpiry", "6",   "CAP",
                           "7",        "chcap", "3", "GRACE",   "0",    "MAXMSG",  "64",  "CAPRULE",
                           "glob",     "tiny*", "1", "CAPRULE", "GLOB", "big*",    "2000"});
    CHECK(full.agreed.expiry == milliseconds(5'000));
    CHECK(full.agreed.grace == milliseconds(0));
    CHECK(full.agreed.channel_capacity == 3);
    CHECK(full.agreed.message_bytes_max == 64);
    CHECK(full.agreed.capacities.capacity_of("tiny") == 1);
    CHECK(full.agreed.capacities.capacity_of("bigger") == 2'000);
    CHECK(full.agreed.capacities.capacity_of("other") == 7);
}

TEST_CASE("hello: what is refused") {
    CHECK(fails({"ch.hello", "a b", "s"}, "BADNAME"));
    CHECK(fails({"ch.hello", "asgi", "s!"}, "BADNAME"));
    for (const words& rest : std::vector<words>{{"EXPIRY"},
                                                {"EXPIRY", "0"},
                                                {"EXPIRY", "-1"},
                                                {"EXPIRY", "1.5"},
                                                {"EXPIRY", "99999999999"},
                                                {"CAP", "0"},
                                                {"CAP", "1000001"},
                                                {"MAXMSG", "67108865"},
                                                {"NONSENSE", "1"},
                                                {"CAPRULE", "glob", "x"},
                                                {"CAPRULE", "wild", "x", "1"},
                                                {"CAPRULE", "regex", "x", "1"},
                                                {"CAPRULE", "glob", "", "1"}}) {
        words all{"ch.hello", "asgi", "s"};
        all.insert(all.end(), rest.begin(), rest.end());
        CHECK(fails(all, "ERR"));
    }
    CHECK(error({"ch.hello", "asgi", "s", "CAPRULE", "REGEX", "x", "1"}).find("knows no regex") !=
          std::string::npos);
    words rules{"ch.hello", "asgi", "s"};
    for (std::size_t i = 0; i <= channels::capacity_rules::rules_max; ++i)
        rules.insert(rules.end(), {"CAPRULE", "glob", "x", "1"});
    CHECK(fails(rules, "ERR"));
}

TEST_CASE("send") {
    const auto got = as<native::send>({"CH.SEND", "a!b", "text", "EX", "1500", "ID", "key", "cap", "7"});
    CHECK(got.channel == "a!b");
    CHECK(got.body == "text");
    CHECK(got.expiry == milliseconds(1'500));
    CHECK(got.id == "key");
    CHECK(got.capacity == 7U);
    CHECK_FALSE(as<native::send>({"CH.SEND", "a!b", "text"}).capacity);
    CHECK(as<native::send>({"CH.SEND", "a!b", "text", "CAP", "1000000"}).capacity == 1'000'000U);
    for (const auto* bad : {"0", "-1", "1000001", "x", ""})
        CHECK(error({"ch.send", "a!b", "text", "CAP", bad}) == "ERR value is not an integer or out of range");
    CHECK(fails({"ch.send", "a!b", "text", "CAP"}, "ERR"));
    CHECK(as<native::send>({"CH.SEND", "normal", ""}).body.empty());
    CHECK(fails({"ch.send", "a!b!c", "x"}, "BADNAME"));
    CHECK(fails({"ch.send", "a\n", "x"}, "BADNAME"));
    CHECK(fails({"ch.send", "a", "x", "EX", "0"}, "ERR"));
    CHECK(fails({"ch.send", "a", "x", "ID", ""}, "ERR"));
    CHECK(fails({"ch.send", "a"}, "ERR"));
    const std::string large(1'001, 'x');
    CHECK(fails({"ch.send", "a", large}, "MSGTOOLARGE"));
    CHECK(as<native::send>({"ch.send", "a", std::string_view(large).substr(1)}).body.size() == 1'000);
}

TEST_CASE("receive and acknowledge") {
    const auto plain = as<native::receive>({"ch.recv", "p"});
    CHECK_FALSE(plain.ack);
    CHECK(plain.count == 100);
    CHECK(plain.block.count() == 0);
    const auto full =
        as<native::receive>({"ch.recv", "p", "ACK", "9", "HELD", "2", "COUNT", "5", "BLOCK", "60000"});
    CHECK(full.ack == 9U);
    CHECK(full.held == 2U);
    CHECK(full.count == 5);
    CHECK(full.block == native::block_max);
    CHECK(fails({"ch.recv", "p!"}, "BADNAME"));
    for (const auto* option : {"ACK", "HELD", "COUNT", "BLOCK"}) {
        CHECK(fails({"ch.recv", "p", option}, "ERR"));
        CHECK(fails({"ch.recv", "p", option, "-1"}, "ERR"));
        CHECK(fails({"ch.recv", "p", option, "x"}, "ERR"));
        CHECK(fails({"ch.recv", "p", option, "99999999999999999999"}, "ERR"));
    }
    const auto ack = as<native::acknowledge>({"ch.ack", "p", "3", "held", "1"});
    CHECK(ack.seq == 3);
    CHECK(ack.held == 1U);
    CHECK(fails({"ch.ack", "p"}, "ERR"));
    CHECK(fails({"ch.ack", "p", "1", "more"}, "ERR"));
}

TEST_CASE("memberships in batches, both ways round") {
    CHECK(as<native::join>({"ch.gadd", "g", "a!1", "a!2"}).pairs ==
          std::vector<native::pair>{{"g", "a!1"}, {"g", "a!2"}});
    CHECK(as<native::join>({"ch.gaddm", "a!1", "g", "h"}).pairs ==
          std::vector<native::pair>{{"g", "a!1"}, {"h", "a!1"}});
    CHECK(as<native::leave>({"ch.grem", "g", "a!1"}).pairs.size() == 1);
    CHECK(as<native::leave_all>({"ch.gremall", "a!1", "b!2"}).channels.size() == 2);
    CHECK(fails({"ch.gadd", "g"}, "ERR"));
    CHECK(fails({"ch.gadd", "g!", "a"}, "BADNAME"));
    CHECK(fails({"ch.gadd", "g", "a", "b c"}, "BADNAME"));
    CHECK(fails({"ch.gaddm", "a", "g", "h!"}, "BADNAME"));
}

TEST_CASE("group messages") {
    const auto full = as<native::group_send>(
        {"ch.gsend", "g", "x", "EXCEPT", "2", "a!1", "b!2", "ID", "k", "HIST", "10", "60", "STATS"});
    CHECK(full.except == words{"a!1", "b!2"});
    CHECK(full.id == "k");
    CHECK(full.history_items == 10);
    CHECK(full.history_ttl == milliseconds(60'000));
    CHECK(full.tallied);
    CHECK(as<native::group_send>({"ch.gsend", "g", "x", "EXCEPT", "0"}).except.empty());
    CHECK(fails({"ch.gsend", "g", "x", "EXCEPT", "2", "a!1"}, "ERR"));
    CHECK(fails({"ch.gsend", "g", "x", "EXCEPT", "99999999"}, "ERR"));
    CHECK(fails({"ch.gsend", "g", "x", "EXCEPT", "1", "a b"}, "BADNAME"));
    CHECK(fails({"ch.gsend", "g", "x", "HIST", "1"}, "ERR"));
    const std::string large(1'001, 'x');
    CHECK(fails({"ch.gsend", "g", large}, "MSGTOOLARGE"));
}

TEST_CASE("the rest") {
    CHECK(as<native::once>({"ch.id", "k", "5"}).keep == milliseconds(5));
    CHECK(fails({"ch.id", "k", "0"}, "ERR"));
    const auto since = as<native::history>({"ch.hist", "g", "SINCE", "ab:c:12", "LIMIT", "3"});
    CHECK(since.epoch == "ab:c");
    CHECK(since.offset == 12);
    CHECK(since.limit == 3);
    for (const auto* bad : {"12", ":12", "e:", "e:-1", "e:x"})
        CHECK(fails({"ch.hist", "g", "SINCE", bad}, "ERR"));
    CHECK(as<native::members>({"ch.gmembers", "g", "CURSOR", "7", "COUNT", "9"}).cursor == "7");
    CHECK(as<native::groups>({"ch.groups", "chat.*"}).pattern == "chat.*");
    CHECK(fails({"ch.groups", ""}, "ERR"));
    CHECK(as<native::flush>({"ch.flush"}).prefix.empty());
    CHECK(as<native::flush>({"ch.flush", "asgi"}).prefix == "asgi");
    CHECK(fails({"ch.flush", "asgi", "x"}, "ERR"));
    CHECK(fails({"ch.stats", "x"}, "ERR"));
    CHECK(fails({"ch.other"}, "ERR"));
    CHECK(error({"ch.recv", "p", std::string_view("\r\n\x01", 3)}) == "ERR syntax error at '...'");
}
