#include "sidecar/core/output_queue.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

using sidecar::buffer_pool;
using sidecar::output_queue;

namespace {

// Takes at most `bytes`, seen through at most `width` pieces at a time.
std::string take(output_queue& queue, std::size_t bytes, std::size_t width = 3) {
    std::string out;
    std::vector<std::string_view> pieces(width);
    while (bytes > 0 && !queue.empty()) {
        const std::size_t count = queue.gather(pieces);
        REQUIRE(count > 0);
        std::size_t taken = 0;
        for (std::size_t i = 0; i < count && bytes > 0; ++i) {
            CHECK_FALSE(pieces[i].empty());
            const auto part = pieces[i].substr(0, bytes);
            out += part;
            taken += part.size();
            bytes -= part.size();
        }
        queue.consume(taken);
    }
    return out;
}

std::shared_ptr<const std::string> frame(std::string text) {
    return std::make_shared<const std::string>(std::move(text));
}

}  // namespace

TEST_CASE("own bytes and shared frames leave in order") {
    buffer_pool pool;
    output_queue queue(pool);
    queue.append("one ");
    queue.append_shared(frame("two "));
    queue.append("three ");
    queue.append("four ");
    queue.append_shared(frame("five"));
    CHECK(queue.size() == 23);
    CHECK(take(queue, 6) == "one tw");
    CHECK(queue.sent_total() == 6);
    CHECK(queue.appended_total() == 23);
    CHECK(take(queue, 100) == "o three four five");
    CHECK(queue.empty());
    CHECK(queue.appended_total() == 23);
}

TEST_CASE("a shared frame is let go once it is sent") {
    buffer_pool pool;
    output_queue queue(pool);
    auto shared = frame(std::string(5000, 'x'));
    queue.append_shared(shared);
    queue.append("after");
    CHECK(shared.use_count() == 2);
    CHECK(take(queue, 4999).size() == 4999);
    CHECK(shared.use_count() == 2);
    (void)take(queue, 1);
    CHECK(shared.use_count() == 1);
    CHECK(take(queue, 5) == "after");
}

TEST_CASE("clearing keeps the positions and lets go of everything") {
    buffer_pool pool;
    output_queue queue(pool);
    auto shared = frame("abc");
    queue.append("12");
    queue.append_shared(shared);
    (void)take(queue, 1);
    queue.clear();
    CHECK(queue.empty());
    CHECK(queue.sent_total() == 5);
    CHECK(shared.use_count() == 1);
    std::string_view piece;
    CHECK(queue.gather({&piece, 1}) == 0);
    queue.append("new");
    CHECK(take(queue, 10) == "new");
}

TEST_CASE("random traffic arrives whole and in order") {
    std::mt19937 random(4711);
    buffer_pool pool;
    output_queue queue(pool);
    std::string wanted;
    std::string got;
    std::uint64_t begin = 0;
    for (int i = 0; i < 5000; ++i) {
        const std::size_t size = random() % 8 == 0 ? random() % 300'000 : random() % 50;
        std::string bytes(size, static_cast<char>('a' + i % 26));
        wanted += bytes;
        if (random() % 3 == 0) {
            queue.append_shared(frame(bytes));
        } else {
            queue.append(bytes);
        }
        if (random() % 2 == 0) {
            const std::size_t want = random() % (queue.size() + 1);
            const std::string part = take(queue, want, 1 + random() % 4);
            CHECK(part.size() == want);
            got += part;
        }
        REQUIRE(queue.size() == wanted.size() - got.size());
        if (wanted.size() < 1'000'000) continue;
        got += take(queue, queue.size());
        REQUIRE((got == wanted));
        begin += got.size();
        CHECK(queue.sent_total() == begin);
        got.clear();
        wanted.clear();
    }
}
