#include "sidecar/core/channel_store.hpp"

#include <catch2/catch.hpp>

#include "tests/sidecar/session_harness.hpp"

using namespace tests;

TEST_CASE("an answer of the channel store comes once, and not from inside the call") {
    session_harness h;
    int answers = 0;
    h.core->layer_store->claim({1, "asgi"}, "specific.ab", 10'000, [&](const claim_answer&) { ++answers; });
    CHECK(answers == 0);
    h.turn();
    CHECK(answers == 1);
    h.turn();
    CHECK(answers == 1);
}
