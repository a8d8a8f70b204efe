#include "sidecar/core/pipeline.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

using sidecar::pipeline;

namespace {

// As a session uses it: a piece of reply `n` goes out at once when its turn has come.
struct client {
    pipeline order;
    std::string seen;

    void piece(pipeline::number n, std::string_view bytes, bool complete) {
        if (!order.is_next(n)) return order.park(n, bytes, complete);
        seen += bytes;
        if (complete) order.complete_next([&](std::string_view early) { seen += early; });
    }
};

}  // namespace

TEST_CASE("replies leave in the order of the commands, whatever order they come in") {
    std::vector<int> order{0, 1, 2, 3, 4};
    do {
        client c;
        for (int i = 0; i < 5; ++i) CHECK(c.order.issue() == static_cast<pipeline::number>(i));
        for (const int n : order)
            c.piece(static_cast<pipeline::number>(n), std::string(1, static_cast<char>('a' + n)), true);
        CHECK(c.seen == "abcde");
        CHECK(c.order.in_flight() == 0);
        CHECK(c.order.parked_bytes() == 0);
    } while (std::next_permutation(order.begin(), order.end()));
}

// Three replies of two pieces each; all orders that keep a reply's own pieces in order.
TEST_CASE("replies in pieces never mix") {
    std::vector<int> order{0, 0, 1, 1, 2, 2};
    int cases = 0;
    do {
        client c;
        int pieces[3] = {0, 0, 0};
        for (int i = 0; i < 3; ++i) (void)c.order.issue();
        for (const int n : order) {
            const bool last = pieces[n]++ == 1;
            c.piece(static_cast<pipeline::number>(n), std::to_string(n) + (last ? "." : "-"), last);
        }
        CHECK(c.seen == "0-0.1-1.2-2.");
        ++cases;
    } while (std::next_permutation(order.begin(), order.end()));
    CHECK(cases == 90);
}

TEST_CASE("what waits is counted") {
    pipeline p;
    (void)p.issue();
    const auto second = p.issue();
    CHECK(p.in_flight() == 2);
    p.park(second, "12345", false);
    p.park(second, "678", true);
    CHECK(p.parked_bytes() == 8);
    std::string out;
    p.complete_next([&](std::string_view early) { out += early; });
    CHECK(out == "12345678");
    CHECK(p.parked_bytes() == 0);
    CHECK(p.in_flight() == 0);
}
