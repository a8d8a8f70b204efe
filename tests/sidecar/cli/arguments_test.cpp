#include "sidecar/cli/arguments.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "sidecar/cli/broker_commands.hpp"

using namespace sidecar;

namespace {

const std::vector<option_spec> common{{"--json", "", "", 'j'}, {"--help", "", "", 'h'}};

cli_command command() {
    cli_command made;
    made.name = "peek";
    made.words = {{"QUEUE"}, {"TAG"}};
    made.words_min = 1;
    made.words_max = 2;
    made.usage = "QUEUE [TAG]";
    made.options = {{"--limit", "N", "", 'n'}, {"--watch", "[SECONDS]", "", 'w'}};
    return made;
}

invocation parsed(const std::vector<std::string>& args) {
    const auto result = invocation::parse(command(), common, args);
    REQUIRE(std::holds_alternative<invocation>(result));
    return std::get<invocation>(result);
}

std::string refused(const std::vector<std::string>& args) {
    const auto result = invocation::parse(command(), common, args);
    REQUIRE(std::holds_alternative<std::string>(result));
    return std::get<std::string>(result);
}

}  // namespace

TEST_CASE("arguments: options stand anywhere, with = or as the next word", "[cli][arguments]") {
    const invocation call = parsed({"--limit", "5", "mail", "-j", "tag"});
    CHECK(call.words() == std::vector<std::string>{"mail", "tag"});
    CHECK(call.value("--limit") == "5");
    CHECK(call.has("--json"));
    CHECK(parsed({"mail", "--limit=7"}).value("--limit") == "7");
    CHECK(parsed({"mail", "-n", "7"}).value("--limit") == "7");
    CHECK(parsed({"mail", "-n", "7", "-n", "8"}).values("--limit") == std::vector<std::string>{"7", "8"});
    CHECK(call.word(5).empty());
}

TEST_CASE("arguments: a value that may be left away takes no word", "[cli][arguments]") {
    CHECK(parsed({"--watch", "mail"}).words() == std::vector<std::string>{"mail"});
    CHECK(parsed({"--watch=3", "mail"}).value("--watch") == "3");
}

TEST_CASE("arguments: what follows -- is a word", "[cli][arguments]") {
    CHECK(parsed({"--", "--limit", "-"}).words() == std::vector<std::string>{"--limit", "-"});
}

TEST_CASE("arguments: what is wrong is named", "[cli][arguments]") {
    CHECK(refused({}) == "more is needed: peek QUEUE [TAG]");
    CHECK(refused({"a", "b", "c"}) == "too many arguments: 'c'");
    CHECK(refused({"a", "--limt", "3"}) == "unknown option '--limt'");
    CHECK(refused({"a", "--limit"}) == "--limit needs a value: N");
    CHECK(refused({"a", "--json=yes"}) == "--json takes no value");
    CHECK(parsed({"--help"}).has("--help"));
}

TEST_CASE("arguments: every command of the broker says what it takes", "[cli][arguments]") {
    std::set<std::string_view> names;
    for (const cli_command& one : broker_commands()) {
        INFO(one.name);
        CHECK(names.insert(one.name).second);
        CHECK(one.run != nullptr);
        CHECK_FALSE(one.summary.empty());
        CHECK(one.words_min <= one.words_max);
        std::set<std::string_view> options;
        std::set<char> letters;
        for (const auto& table : {std::span<const option_spec>(one.options), common_options()})
            for (const option_spec& option : table) {
                CHECK(options.insert(option.name).second);
                CHECK((option.letter == '\0' || letters.insert(option.letter).second));
                CHECK_FALSE(option.help.empty());
            }
        CHECK(help_of(one, common_options()).starts_with("Usage: sidecar " + std::string(one.name)));
    }
}
