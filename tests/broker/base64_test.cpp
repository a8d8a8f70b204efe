#include "broker/base64.hpp"

using broker::base64_decode;
using broker::base64_encode;

TEST_CASE("Base64 both ways, whatever the length") {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        CHECK(base64_decode(base64_encode(bytes)) == bytes);
        bytes.push_back(static_cast<char>(i * 37));
    }
    CHECK(base64_encode("f") == "Zg==");
    CHECK(base64_encode("fo") == "Zm8=");
    CHECK(base64_encode("foo") == "Zm9v");
}

TEST_CASE("Other spellings of base64") {
    CHECK(base64_decode("Zg") == "f");
    CHECK(base64_decode("-_-_") == base64_decode("+/+/"));
    CHECK(base64_decode("Zm9v\nYmFy\r\n") == "foobar");
    CHECK(base64_decode("Zm\n9v YmFyZg==\n") == "foobarf");
    CHECK(base64_decode("") == "");
}

TEST_CASE("What is not base64") {
    for (const auto* bad : {"Z", "Zm9vY", "Zm9v!", "Zg==Zg==", "\x80\x80\x80\x80", "Zm=9"})
        CHECK_FALSE(base64_decode(bad));
}
