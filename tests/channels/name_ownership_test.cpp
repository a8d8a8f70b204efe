#include "channels/name_ownership.hpp"

#include <algorithm>
#include <set>

#include "resp/glob.hpp"

using namespace channels;

namespace {

// Every prefix that any db owns, spelt out once more so that the rules are checked and not repeated.
const std::vector<std::string> owned = {"/0.",
                                        "/1.",
                                        "/2.",
                                        "__keyspace@0__:",
                                        "__keyspace@1__:",
                                        "__keyspace@2__:",
                                        "__keyevent@0__:",
                                        "__keyevent@1__:",
                                        "__keyevent@2__:",
                                        "asgi",
                                        "__sidecar:ch:"};

// All names that are an owned prefix, a part of one, one with a byte changed, added or removed.
std::set<std::string> near_misses() {
    const std::string bytes = std::string("/.0123_@:askeyz[]^-*?\\ A\n\xff") + '\0';
    std::set<std::string> names{"", "a", "celery", "celery-task-meta-1", "specific.a!b", "/10.x", "/3.x"};
    for (const std::string& prefix : owned) {
        for (std::size_t length = 0; length <= prefix.size(); ++length) {
            const std::string part = prefix.substr(0, length);
            names.insert(part);
            for (const char c : bytes) {
                const std::string longer = part + c;
                names.insert(longer);
                names.insert(c + part);
                names.insert(longer + "rest of the name");
                if (length < prefix.size()) names.insert(longer + prefix.substr(length + 1));
                names.insert(longer + prefix.substr(length));
            }
            if (length < prefix.size()) names.insert(part + prefix.substr(length + 1) + "tail");
        }
    }
    return names;
}

}  // namespace

TEST_CASE("channel names belong to the db their prefix names", "[name_ownership]") {
    CHECK(owner_of("/0.x") == 0);
    CHECK(owner_of("/2.celery.pidbox") == 2);
    CHECK(owner_of("/1.") == 1);
    CHECK(owner_of("__keyspace@0__:k") == 0);
    CHECK(owner_of("__keyevent@2__:expired") == 2);
    CHECK(owner_of("asgi") == 1);
    CHECK(owner_of("asgi__group__chat") == 1);
}

TEST_CASE("other names are free", "[name_ownership]") {
    for (const char* name :
         {"", "/", "/2", "/3.x", "/10.x", "/02.x", "/a.x", "asg", "Asgi", " asgi", "x/2.y",
          "__keyspace@3__:k", "__keyspace@2_:k", "__keyspace@", "__keyevent@12__:k", "celery-task-meta-1"}) {
        INFO(name);
        CHECK_FALSE(owner_of(name));
        CHECK(may_use(0, name));
        CHECK(may_use(7, name));
    }
}

TEST_CASE("what nodes tell each other is no client's", "[name_ownership]") {
    for (const int db : {0, 1, 2, 7}) {
        CHECK_FALSE(may_use(db, "__sidecar:ch:in:0123"));
        CHECK_FALSE(may_subscribe_pattern(db, "__sidecar:ch:*"));
        CHECK(may_use(db, "__sidecar:other"));
        CHECK(may_subscribe_pattern(db, "*"));
    }
    CHECK(is_reserved("__sidecar:ch:in:0123"));
    CHECK_FALSE(is_reserved("__sidecar:c"));
}

TEST_CASE("only the owner uses an owned name", "[name_ownership]") {
    CHECK(may_use(2, "/2.celery.pidbox"));
    CHECK_FALSE(may_use(0, "/2.celery.pidbox"));
    CHECK_FALSE(may_use(3, "/2.celery.pidbox"));
    CHECK(may_use(1, "asgi.x"));
    CHECK_FALSE(may_use(0, "asgi.x"));
    CHECK_FALSE(may_use(2, "asgi.x"));
}

TEST_CASE("a pattern is refused only inside another db's names", "[name_ownership]") {
    CHECK(may_subscribe_pattern(2, "/2.celery.pidbox*"));
    CHECK_FALSE(may_subscribe_pattern(0, "/2.*"));
    CHECK_FALSE(may_subscribe_pattern(0, "asgi*"));
    CHECK_FALSE(may_subscribe_pattern(0, "asgi"));
    CHECK_FALSE(may_subscribe_pattern(0, "\\asg\\i[x]"));
    CHECK_FALSE(may_subscribe_pattern(2, "__keyevent@0__:*"));
    for (const char* wide : {"*", "/*", "/?.*", "__key*@0__:*", "a*", "[a]sgi*", "asg\\*i", ""}) {
        INFO(wide);
        CHECK(may_subscribe_pattern(0, wide));
        CHECK(may_subscribe_pattern(2, wide));
    }
}

TEST_CASE("the allowed patterns match exactly the names a db may use", "[name_ownership]") {
    const auto names = near_misses();
    REQUIRE(names.size() > 5'000);
    for (int db = 0; db <= 3; ++db) {
        const auto patterns = allowed_patterns(db);
        for (const std::string& name : names) {
            const bool matched =
                std::any_of(patterns.begin(), patterns.end(),
                            [&](const std::string& pattern) { return resp::glob_match(pattern, name); });
            if (matched != may_use(db, name)) FAIL("db " << db << " name \"" << name << '"');
        }
    }
}

TEST_CASE("the allowed patterns are fit for an ACL rule", "[name_ownership]") {
    for (int db = 0; db <= 3; ++db) {
        const auto patterns = allowed_patterns(db);
        CHECK(patterns.size() < 128);
        for (const std::string& pattern : patterns) CHECK(pattern.find(' ') == std::string::npos);
        CHECK(std::set<std::string>(patterns.begin(), patterns.end()).size() == patterns.size());
    }
}
