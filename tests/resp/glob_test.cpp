#include "resp/glob.hpp"

#include <chrono>
#include <string>

using resp::glob_match;

TEST_CASE("a pattern without specials matches itself only", "[glob]") {
    CHECK(glob_match("news", "news"));
    CHECK_FALSE(glob_match("news", "new"));
    CHECK_FALSE(glob_match("news", "newsy"));
    CHECK_FALSE(glob_match("news", "News"));
    CHECK_FALSE(glob_match("", "a"));
}

TEST_CASE("a star takes any number of bytes", "[glob]") {
    CHECK(glob_match("*", "a"));
    CHECK(glob_match("a*", "a"));
    CHECK(glob_match("a***", "a"));
    CHECK(glob_match("*a*b", "xxaxxbxb"));
    CHECK(glob_match("a*b*c", "abbcabc"));
    CHECK_FALSE(glob_match("*a*b", "xxaxxbxc"));
    CHECK(glob_match("*\r\n*", "a\r\nb"));
    CHECK(glob_match("*", std::string_view("\0", 1)));
}

TEST_CASE("an empty text is matched by the empty pattern alone, as Redis 7 does", "[glob]") {
    CHECK(glob_match("", ""));
    CHECK_FALSE(glob_match("*", ""));
    CHECK_FALSE(glob_match("**", ""));
    CHECK_FALSE(glob_match("?", ""));
}

TEST_CASE("a question mark takes exactly one byte", "[glob]") {
    CHECK(glob_match("h?llo", "hallo"));
    CHECK_FALSE(glob_match("h?llo", "hllo"));
    CHECK_FALSE(glob_match("h?", "h"));
    CHECK(glob_match("?*?", "ab"));
    CHECK_FALSE(glob_match("?*?", "a"));
}

TEST_CASE("classes hold bytes, ranges and escapes", "[glob]") {
    CHECK(glob_match("h[ae]llo", "hello"));
    CHECK_FALSE(glob_match("h[ae]llo", "hillo"));
    CHECK(glob_match("[a-c]", "b"));
    CHECK(glob_match("[c-a]", "b"));
    CHECK_FALSE(glob_match("[a-c]", "-"));
    CHECK(glob_match("[^a-c]x", "dx"));
    CHECK_FALSE(glob_match("[^a-c]x", "bx"));
    CHECK(glob_match("[\\]]", "]"));
    CHECK(glob_match("[\\a-]", "-"));
    CHECK(glob_match("[^\\^]", "a"));
    CHECK_FALSE(glob_match("[^\\^]", "^"));
    CHECK(glob_match("*[0-9]", "abc7"));
}

TEST_CASE("odd classes are read as Redis reads them", "[glob]") {
    CHECK_FALSE(glob_match("[", "x"));
    CHECK(glob_match("[^", "x"));
    CHECK(glob_match("[a", "a"));
    CHECK(glob_match("[a-", "-"));
    CHECK(glob_match("[a-]", "^"));
    CHECK(glob_match("[a-]b", "b"));
    CHECK_FALSE(glob_match("[]", "a"));
    CHECK(glob_match("[^]", "a"));
}

TEST_CASE("a backslash makes the next byte ordinary", "[glob]") {
    CHECK(glob_match("a\\*", "a*"));
    CHECK_FALSE(glob_match("a\\*", "ab"));
    CHECK(glob_match("a\\[b]", "a[b]"));
    CHECK(glob_match("a\\\\", "a\\"));
    CHECK(glob_match("a\\", "a\\"));
    CHECK_FALSE(glob_match("a\\", "a"));
}

TEST_CASE("many stars do not take exponential time", "[glob]") {
    std::string pattern;
    for (int i = 0; i < 500; ++i) pattern += "*a";
    pattern += "*b";
    const std::string text(20'000, 'a');
    const auto begin = std::chrono::steady_clock::now();
    CHECK_FALSE(glob_match(pattern, text));
    CHECK(glob_match(pattern, text + "b"));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}
