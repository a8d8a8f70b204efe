#include "bench/load/fanout_book.hpp"

#include <catch2/catch.hpp>

using namespace bench;
using std::chrono::nanoseconds;

namespace {

struct wanted {
    std::uint64_t lost = 0, duplicated = 0, reordered = 0, strays = 0;
};

void check(const delivery_faults& found, const wanted& right) {
    CHECK(found.lost == right.lost);
    CHECK(found.duplicated == right.duplicated);
    CHECK(found.reordered == right.reordered);
    CHECK(found.strays == right.strays);
    CHECK(found.any() == (right.lost + right.duplicated + right.reordered + right.strays > 0));
}

}  // namespace

TEST_CASE("a receiver's log tells loss, doubles and disorder by publisher") {
    receiver_log log({10, 2});
    SECTION("all in order, publishers interleaved") {
        for (const std::uint32_t seq : {0U, 1U, 2U}) {
            CHECK(log.note(10, seq));
            CHECK(log.note(11, seq));
        }
        check(log.faults({3, 3}), {});
    }
    SECTION("a gap and an end that never came") {
        CHECK(log.note(10, 0));
        CHECK(log.note(10, 3));
        check(log.faults({6, 0}), {4, 0, 0, 0});
    }
    SECTION("nothing came") {
        check(log.faults({2, 3}), {5, 0, 0, 0});
    }
    SECTION("one comes late: disorder, no loss") {
        CHECK(log.note(10, 0));
        CHECK(log.note(10, 2));
        CHECK(log.note(10, 1));
        check(log.faults({3, 0}), {0, 0, 1, 0});
    }
    SECTION("twice the same, at once and later") {
        CHECK(log.note(10, 0));
        CHECK_FALSE(log.note(10, 0));
        CHECK(log.note(10, 2));
        CHECK(log.note(10, 1));
        CHECK_FALSE(log.note(10, 1));
        check(log.faults({3, 0}), {0, 2, 1, 0});
    }
    SECTION("of another step") {
        CHECK_FALSE(log.note(9, 0));
        CHECK_FALSE(log.note(12, 0));
        CHECK_FALSE(log.note(10, UINT32_MAX));
        check(log.faults({0, 0}), {0, 0, 0, 3});
    }
}

TEST_CASE("a message is complete when the last receiver has it") {
    message_board board({0, 2}, 3);
    board.note({0, 0, 0}, 1, nanoseconds(20));
    board.note({0, 0, 0}, 1, nanoseconds(30));
    board.note({0, 1, 0}, 2, nanoseconds(5));
    CHECK(board.complete() == 0);
    board.note({0, 0, 0}, 1, nanoseconds(10));
    CHECK(board.complete() == 1);
    CHECK(board.last().max().count() == 30);
    board.note({0, 1, 0}, 1, nanoseconds(7));
    CHECK(board.complete() == 2);
    CHECK(board.last().quantile(0).count() == 7);
    CHECK(board.deliveries() == 6);
    board.note({0, 2, 0}, 1, nanoseconds(1));  // of another step
    CHECK(board.deliveries() == 6);
}
