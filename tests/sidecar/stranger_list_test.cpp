#include "sidecar/core/stranger_list.hpp"

#include <catch2/catch.hpp>

using namespace sidecar;
using std::chrono::seconds;

TEST_CASE("strangers are told in order of arrival, once their time is over") {
    const time_point start{};
    stranger_list strangers;
    CHECK_FALSE(strangers.oldest_since(start));
    strangers.add(7, start + seconds(1));
    strangers.add(9, start + seconds(2));
    CHECK(strangers.size() == 2);
    CHECK_FALSE(strangers.oldest_since(start));
    CHECK(strangers.oldest_since(start + seconds(1)) == 7);
    CHECK(strangers.oldest_since(start + seconds(5)) == 7);
    strangers.remove(7);
    strangers.remove(8);
    CHECK_FALSE(strangers.oldest_since(start + seconds(1)));
    CHECK(strangers.oldest_since(start + seconds(2)) == 9);
    strangers.remove(9);
    CHECK(strangers.size() == 0);
}
