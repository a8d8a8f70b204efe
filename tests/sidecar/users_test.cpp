#include "sidecar/core/users.hpp"

using namespace sidecar;

TEST_CASE("SHA-256 and HMAC-SHA-256 give the published digests", "[users]") {
    CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hmac_sha256_hex("Jefe", "what do ya want for nothing?") ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(hmac_sha256_hex("", "").size() == 64);
    CHECK(hmac_sha256_hex("a", "x") != hmac_sha256_hex("b", "x"));
}

TEST_CASE("texts are equal only as a whole", "[users]") {
    CHECK(equal_in_constant_time("", ""));
    CHECK(equal_in_constant_time("abc", "abc"));
    CHECK_FALSE(equal_in_constant_time("abc", "abd"));
    CHECK_FALSE(equal_in_constant_time("abc", "ab"));
    CHECK_FALSE(equal_in_constant_time("", "a"));
}

TEST_CASE("without a password everyone is the default user", "[users]") {
    const user_directory users("", {});
    CHECK(users.open_to_all());
    CHECK(users.default_user().name == "default");
    CHECK(users.default_user().database_mask == ~0U);
    CHECK_FALSE(users.default_user().readonly);
    CHECK(users.authenticate("default", "anything") == &users.default_user());
    CHECK(users.authenticate("", "") == nullptr);
    CHECK(users.authenticate("nobody", "") == nullptr);
}

TEST_CASE("with a password the default user must give it", "[users]") {
    const user_directory users("secret", {});
    CHECK_FALSE(users.open_to_all());
    CHECK(users.authenticate("default", "secret") == &users.default_user());
    for (const char* wrong : {"", "Secret", "secret ", "secre"})
        CHECK(users.authenticate("default", wrong) == nullptr);
    CHECK(users.authenticate("Default", "secret") == nullptr);
    CHECK(users.default_user().sha256_hex == sha256_hex("secret"));
}

TEST_CASE("named users carry their limits", "[users]") {
    const user_directory users("secret", {{"celery", sha256_hex("c"), {2}, false},
                                          {"report", sha256_hex("r"), {0, 1}, true},
                                          {"all", sha256_hex("a"), {}, false}});
    const user* celery = users.authenticate("celery", "c");
    REQUIRE(celery != nullptr);
    CHECK(celery->name == "celery");
    CHECK(celery->database_mask == 4U);
    CHECK_FALSE(celery->readonly);
    CHECK(users.authenticate("celery", "secret") == nullptr);
    CHECK(users.authenticate("celery", "") == nullptr);
    const user* report = users.find("report");
    REQUIRE(report != nullptr);
    CHECK(report->database_mask == 3U);
    CHECK(report->readonly);
    CHECK(users.find("all")->database_mask == ~0U);
    CHECK(users.find("none") == nullptr);
    CHECK(users.authenticate("none", "c") == nullptr);
}

TEST_CASE("a named user without a digest cannot log in", "[users]") {
    const user_directory users("", {{"broken", "", {}, false}});
    CHECK(users.authenticate("broken", "") == nullptr);
    CHECK(users.authenticate("broken", "x") == nullptr);
}

TEST_CASE("the file may limit the default user", "[users]") {
    const user_directory limited("secret", {{"default", "", {0}, true}});
    CHECK(limited.default_user().database_mask == 1U);
    CHECK(limited.default_user().readonly);
    CHECK(limited.authenticate("default", "secret") == &limited.default_user());
    const user_directory replaced("", {{"default", sha256_hex("file"), {}, false}});
    CHECK_FALSE(replaced.open_to_all());
    CHECK(replaced.authenticate("default", "file") != nullptr);
    CHECK(replaced.authenticate("default", "") == nullptr);
}
