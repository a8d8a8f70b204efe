#include "sidecar/core/buffer_pool.hpp"

#include <catch2/catch.hpp>
#include <vector>

using sidecar::buffer_pool;

TEST_CASE("a buffer comes back empty and with its room") {
    buffer_pool pool;
    std::string buffer = pool.take();
    CHECK(buffer.capacity() >= buffer_pool::fresh_bytes);
    buffer.assign(5'000, 'x');
    const std::size_t room = buffer.capacity();
    pool.give(std::move(buffer));
    CHECK(pool.kept_bytes() == room);
    const std::string again = pool.take();
    CHECK(again.empty());
    CHECK(again.capacity() == room);
    CHECK(pool.kept_bytes() == 0);
}

TEST_CASE("a large buffer is freed, and the pool has a bound") {
    buffer_pool pool;
    pool.give(std::string(buffer_pool::buffer_bytes_max + 1, 'x'));
    CHECK(pool.kept_bytes() == 0);
    for (std::size_t given = 0; given < 2 * buffer_pool::pool_bytes_max; given += 50'000)
        pool.give(std::string(50'000, 'x'));
    CHECK(pool.kept_bytes() <= buffer_pool::pool_bytes_max);
    CHECK(pool.kept_bytes() > buffer_pool::pool_bytes_max / 2);
}
