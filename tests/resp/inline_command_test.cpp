#include "resp/inline_command.hpp"

#include <catch2/catch.hpp>
#include <optional>

using namespace resp;

namespace {

std::optional<std::vector<std::string>> split(std::string_view line) {
    std::string text = "left from before";
    std::vector<std::string_view> args{"left from before"};
    if (!split_inline(line, text, args)) return std::nullopt;
    return std::vector<std::string>(args.begin(), args.end());
}

using words = std::vector<std::string>;

}  // namespace

TEST_CASE("blanks of every kind separate inline arguments") {
    CHECK(split("") == words{});
    CHECK(split(" \t\v\f ") == words{});
    CHECK(split("PING") == words{"PING"});
    CHECK(split("  SET\tk   v  ") == words{"SET", "k", "v"});
}

TEST_CASE("double quotes with escapes") {
    CHECK(split(R"(SET "a b" "")") == words{"SET", "a b", ""});
    CHECK(split(R"("\n\r\t\b\a\"\\\q")") == words{"\n\r\t\b\a\"\\q"});
    CHECK(split(R"("\x41\xfF")") == words{"A\xff"});
    CHECK(split(R"("\x4")") == words{"x4"});
    CHECK(split(R"("\xg0")") == words{"xg0"});
    CHECK(split(R"("it's")") == words{"it's"});
    const auto zero = split(R"("a\x00b")");
    REQUIRE(zero);
    CHECK(zero->front() == std::string("a\0b", 3));
}

TEST_CASE("single quotes know one escape") {
    CHECK(split(R"('a b' 'it\'s')") == words{"a b", "it's"});
    CHECK(split(R"('\n"\x41')") == words{R"(\n"\x41)"});
    CHECK(split("''") == words{""});
}

TEST_CASE("a quote may begin inside a word but must end one") {
    CHECK(split(R"(a"b c")") == words{"ab c"});
    CHECK(split(R"(a'b c' d)") == words{"ab c", "d"});
    CHECK_FALSE(split(R"("a"b)"));
    CHECK_FALSE(split(R"('a'b)"));
    CHECK_FALSE(split(R"("a""b")"));
}

TEST_CASE("quotes that do not close") {
    for (const auto* line : {"\"", "'", "SET k \"v", "SET k 'v", R"("a\")", R"('a\')"}) {
        INFO(line);
        CHECK_FALSE(split(line));
    }
}

TEST_CASE("what follows a NUL is not seen") {
    CHECK(split(std::string_view("PING\0\"", 6)) == words{"PING"});
}
