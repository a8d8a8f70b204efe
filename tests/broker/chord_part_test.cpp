#include "broker/chord_part.hpp"

#include <catch2/catch.hpp>

#include "broker/base64.hpp"
#include "tests/broker/messages.hpp"

using namespace broker;

namespace {

std::string part_of(const std::string& chord) {
    return tests::message(base64_encode(
        R"([[1], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": )" + chord + "}]"));
}

}  // namespace

TEST_CASE("a part of a chord expires, and is otherwise the same", "[broker][chord_part]") {
    const std::string element = part_of(R"({"task": "proj.join", "args": [], "kwargs": {}})");
    const auto expired = expired_chord_part(element, {});
    REQUIRE(expired);
    const auto before = read_envelope(element);
    const auto after = read_envelope(*expired);
    REQUIRE(after);
    CHECK(after->head.expires == expired_by_revocation);
    CHECK(after->body == before->body);
    CHECK(after->properties == before->properties);
    CHECK(after->head.task == "proj.add");
    CHECK(after->head.id == before->head.id);
    CHECK(after->head.limits.hard_s == before->head.limits.hard_s);
    CHECK(expired_chord_part(*expired, {}) == expired);
}

TEST_CASE("what is no part of a chord, or cannot be read, stays as it is", "[broker][chord_part]") {
    CHECK_FALSE(expired_chord_part(part_of("null"), {}));
    CHECK_FALSE(expired_chord_part(tests::add_message(), {}));
    CHECK_FALSE(expired_chord_part("no message", {}));
    CHECK_FALSE(expired_chord_part(tests::message("%%%"), {}));
    decode_limits small;
    small.element_bytes_max = 100;
    CHECK_FALSE(expired_chord_part(part_of(R"({"task": "proj.join"})"), small));
}
