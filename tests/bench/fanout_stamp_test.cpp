#include "bench/load/fanout_stamp.hpp"

#include <catch2/catch.hpp>

using namespace bench;

TEST_CASE("a stamp is read as it was written, whatever the size of the payload") {
    for (const stamp& says : {stamp{}, stamp{1, 2, 3}, stamp{UINT64_MAX, UINT32_MAX, UINT32_MAX}})
        for (const std::size_t bytes : {0UL, 32UL, 33UL, 5'000UL}) {
            const std::string payload = stamped_payload(says, bytes);
            CHECK(payload.size() == std::max(bytes, stamp_bytes));
            CHECK(read_stamp(payload) == says);
        }
}

TEST_CASE("the text of a stamp is what the Python worker reads and writes") {
    CHECK(stamped_payload({0x12ab, 7, 255}, 34) == "00000000000012ab00000007000000ff..");
}

TEST_CASE("what is no stamp is not taken for one") {
    const std::string good = stamped_payload({1, 2, 3}, 40);
    CHECK_FALSE(read_stamp(""));
    CHECK_FALSE(read_stamp(std::string_view(good).substr(0, 31)));
    for (const std::size_t at : {0UL, 15UL, 16UL, 31UL})
        for (const char c : {'x', 'A', ' ', '-'}) {
            std::string bad = good;
            bad[at] = c;
            CHECK_FALSE(read_stamp(bad));
        }
}
