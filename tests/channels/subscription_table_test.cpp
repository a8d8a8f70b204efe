#include "channels/subscription_table.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "resp/command_scanner.hpp"

using namespace channels;
using effect = subscription_table::effect;
constexpr auto channel = name_kind::channel;
constexpr auto pattern = name_kind::pattern;

namespace {

subscriber* who(std::uintptr_t n) {
    return reinterpret_cast<subscriber*>(n * 64);
}

std::vector<std::vector<std::string>> commands(subscription_table& table) {
    const std::string bytes = table.take_commands();
    CHECK_FALSE(table.has_commands());
    std::vector<std::vector<std::string>> out;
    std::string_view rest = bytes;
    resp::command_scanner scanner;
    while (!rest.empty()) {
        resp::scanned_command found;
        REQUIRE(scanner.scan(rest, resp::peer_trust::known, found) == resp::scan_status::command);
        out.emplace_back(found.args.begin(), found.args.end());
        rest.remove_prefix(found.bytes);
    }
    return out;
}

using words = std::vector<std::vector<std::string>>;

}  // namespace

TEST_CASE("many listeners share one upstream subscription") {
    subscription_table table;
    CHECK(table.want(channel, "a") == effect::first);
    table.wait(channel, "a", who(1));
    CHECK(table.want(channel, "a") == effect::none);
    table.wait(channel, "a", who(2));
    CHECK(commands(table) == words{{"SUBSCRIBE", "a"}});
    CHECK_FALSE(table.ready(channel, "a"));
    CHECK(table.on_confirmed(channel, "a") == std::vector<subscriber*>{who(1), who(2)});
    CHECK(table.ready(channel, "a"));
    table.join(channel, "a", who(1));
    table.join(channel, "a", who(2));
    CHECK(table.find(channel, "a")->members.size() == 2);

    CHECK(table.leave(channel, "a", who(1)) == effect::none);
    CHECK(table.find(channel, "a")->members == std::vector<subscriber*>{who(2)});
    CHECK_FALSE(table.has_commands());
    CHECK(table.leave(channel, "a", who(2)) == effect::last);
    CHECK(commands(table) == words{{"UNSUBSCRIBE", "a"}});
    CHECK(table.find(channel, "a") == nullptr);
    CHECK(table.size() == 0);
}

TEST_CASE("kinds of names are apart") {
    subscription_table table;
    CHECK(table.want(channel, "a*") == effect::first);
    CHECK(table.want(pattern, "a*") == effect::first);
    CHECK(table.want(name_kind::shard_channel, "a*") == effect::first);
    CHECK(commands(table) == words{{"SUBSCRIBE", "a*"}, {"PSUBSCRIBE", "a*"}, {"SSUBSCRIBE", "a*"}});
    (void)table.on_confirmed(pattern, "a*");
    CHECK(table.ready(pattern, "a*"));
    CHECK_FALSE(table.ready(channel, "a*"));
}

TEST_CASE("a name given up and wanted again waits for the later confirmation") {
    subscription_table table;
    (void)table.want(channel, "a");
    CHECK(table.leave(channel, "a", nullptr) == effect::last);
    CHECK(table.want(channel, "a") == effect::first);
    table.wait(channel, "a", who(1));
    CHECK(commands(table) == words{{"SUBSCRIBE", "a"}, {"UNSUBSCRIBE", "a"}, {"SUBSCRIBE", "a"}});
    CHECK(table.on_confirmed(channel, "a").empty());
    CHECK_FALSE(table.ready(channel, "a"));
    CHECK(table.on_confirmed(channel, "a") == std::vector<subscriber*>{who(1)});
    CHECK(table.ready(channel, "a"));
}

TEST_CASE("a waiter that leaves is not told, and a name nobody wants is forgotten when confirmed") {
    subscription_table table;
    (void)table.want(channel, "a");
    table.wait(channel, "a", who(1));
    CHECK(table.leave(channel, "a", who(1)) == effect::last);
    CHECK(table.on_confirmed(channel, "a").empty());
    CHECK(table.find(channel, "a") == nullptr);
}

TEST_CASE("leaving what is not held and confirming what was not asked changes nothing") {
    subscription_table table;
    CHECK(table.leave(channel, "a", who(1)) == effect::none);
    CHECK(table.on_confirmed(channel, "a").empty());
    (void)table.want(channel, "a");
    (void)table.on_confirmed(channel, "a");
    CHECK(table.on_confirmed(channel, "a").empty());
    CHECK(table.ready(channel, "a"));
}

TEST_CASE("names travel in runs of at most 512, in order") {
    subscription_table table;
    for (int i = 0; i < 1100; ++i) (void)table.want(channel, "c" + std::to_string(i));
    (void)table.leave(channel, "c0", nullptr);
    const auto sent = commands(table);
    REQUIRE(sent.size() == 4);
    CHECK(sent[0].size() == 513);
    CHECK(sent[1].size() == 513);
    CHECK(sent[2].size() == 1 + 1100 - 1024);
    CHECK(sent[2].back() == "c1099");
    CHECK(sent[3] == std::vector<std::string>{"UNSUBSCRIBE", "c0"});
}

TEST_CASE("after a loss every wanted name is asked for again and confirmed anew") {
    subscription_table table;
    (void)table.want(channel, "a");
    (void)table.want(pattern, "p*");
    (void)table.want(channel, "gone");
    (void)table.take_commands();
    (void)table.on_confirmed(channel, "a");
    table.join(channel, "a", who(1));
    (void)table.leave(channel, "gone", nullptr);
    table.on_lost();
    CHECK_FALSE(table.ready(channel, "a"));
    CHECK_FALSE(table.has_commands());
    CHECK(table.find(channel, "gone") == nullptr);
    table.replay();
    CHECK(commands(table) == words{{"SUBSCRIBE", "a"}, {"PSUBSCRIBE", "p*"}});
    CHECK(table.on_confirmed(channel, "a").empty());
    CHECK(table.ready(channel, "a"));
    CHECK(table.find(channel, "a")->members == std::vector<subscriber*>{who(1)});
}

TEST_CASE("a name wanted between loss and replay is asked for once") {
    subscription_table table;
    table.on_lost();
    CHECK(table.want(channel, "a") == effect::first);
    table.replay();
    CHECK(commands(table) == words{{"SUBSCRIBE", "a"}});
    (void)table.on_confirmed(channel, "a");
    CHECK(table.ready(channel, "a"));
}

// Every order of five wants and leaves of one name, with upstream answering as late or as early as it can:
// the table agrees with what upstream would have done.
TEST_CASE("the table and upstream agree after every short history") {
    for (int history = 0; history < 1 << 10; ++history) {
        subscription_table table;
        int interest = 0;
        bool upstream = false;
        std::vector<bool> under_way;  // true = SUBSCRIBE
        for (int step = 0; step < 5; ++step) {
            const int action = history >> (2 * step) & 3;
            if (action <= 1) {
                const auto done = action == 0 ? table.want(channel, "a") : table.leave(channel, "a", nullptr);
                const bool held = interest > 0;
                interest = action == 0 ? interest + 1 : std::max(0, interest - 1);
                CHECK(done == (held == (interest > 0) ? effect::none
                               : interest > 0         ? effect::first
                                                      : effect::last));
            }
            for (const auto& c : commands(table)) under_way.push_back(c[0] == "SUBSCRIBE");
            const std::size_t answered = action == 2   ? std::min<std::size_t>(1, under_way.size())
                                         : action == 3 ? under_way.size()
                                                       : 0;
            for (std::size_t i = 0; i < answered; ++i) {
                upstream = under_way[i];
                if (upstream) (void)table.on_confirmed(channel, "a");
            }
            under_way.erase(under_way.begin(), under_way.begin() + static_cast<std::ptrdiff_t>(answered));
        }
        for (const bool subscribe : under_way) {
            upstream = subscribe;
            if (subscribe) (void)table.on_confirmed(channel, "a");
        }
        INFO("history " << history);
        CHECK(upstream == (interest > 0));
        CHECK(table.ready(channel, "a") == upstream);
        CHECK((table.find(channel, "a") != nullptr) == upstream);
    }
}
