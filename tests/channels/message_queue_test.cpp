#include "channels/message_queue.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace channels;
using std::chrono::seconds;

namespace {

const moment start{seconds(1'000)};
const moment later = start + seconds(60);

push_result push(message_queue& queue, std::string_view body, std::size_t capacity = 100,
                 std::string_view channel = "p!c", moment expires = later, moment now = start) {
    return queue.push(direct_envelope(channel, body), expires, now, capacity);
}

std::string given(message_queue& queue, std::size_t count = 100, moment now = start,
                  std::size_t bytes = 1U << 20) {
    std::string out;
    queue.give(count, bytes, now, [&](const message_queue::entry& e) {
        out += (out.empty() ? "" : " ") + std::to_string(e.seq) + ":" + std::string(e.what->body());
    });
    return out;
}

}  // namespace

TEST_CASE("messages are given in order, once, until they are to be given again") {
    message_queue queue;
    for (const auto* body : {"a", "b", "c"}) CHECK(push(queue, body) == push_result::queued);
    CHECK(given(queue, 2) == "1:a 2:b");
    CHECK(given(queue) == "3:c");
    CHECK(given(queue).empty());
    CHECK(queue.acknowledge(1));
    queue.give_again();
    CHECK(given(queue) == "2:b 3:c");
    CHECK(queue.acknowledge(3));
    queue.give_again();
    CHECK(given(queue).empty());
    CHECK(queue.size() == 0);
    CHECK(queue.bytes() == 0);
    CHECK(push(queue, "d") == push_result::queued);
    CHECK(given(queue) == "4:d");
}

TEST_CASE("an acknowledgement of what was never given out changes nothing") {
    message_queue queue;
    push(queue, "a");
    push(queue, "b");
    CHECK(queue.acknowledge(0));
    CHECK_FALSE(queue.acknowledge(1));
    CHECK(given(queue, 1) == "1:a");
    CHECK_FALSE(queue.acknowledge(2));
    CHECK(queue.size() == 2);
    queue.give_again();
    CHECK(queue.acknowledge(1));
    CHECK(queue.acknowledge(1));
    CHECK(given(queue) == "2:b");
}

TEST_CASE("waiting, unacknowledged and held messages together fill a queue, which keeps the oldest") {
    message_queue queue;
    push(queue, "a", 3);
    CHECK(given(queue) == "1:a");
    queue.set_held(1);
    CHECK(push(queue, "b", 3) == push_result::queued);
    CHECK(push(queue, "c", 3) == push_result::full);
    CHECK(given(queue) == "2:b");
    queue.set_held(0);
    CHECK(push(queue, "d", 3) == push_result::queued);
    CHECK(given(queue) == "3:d");
    CHECK(queue.acknowledge(3));
    CHECK(queue.in_use() == 0);
}

TEST_CASE("one channel may not take the room of its process") {
    message_queue queue;
    queue.set_channel_capacity(2);
    CHECK(push(queue, "1", 100, "p!slow") == push_result::queued);
    CHECK(push(queue, "2", 100, "p!slow") == push_result::queued);
    CHECK(push(queue, "3", 100, "p!slow") == push_result::full);
    CHECK(push(queue, "1", 100, "p!other") == push_result::queued);
    CHECK(queue.push(group_envelope("g", "x", {}), later, start, 100) == push_result::queued);
    (void)given(queue);
    CHECK(queue.acknowledge(1));
    CHECK(push(queue, "3", 100, "p!slow") == push_result::queued);
}

TEST_CASE("what nobody was given expires; what was given stays until it is acknowledged") {
    message_queue queue;
    push(queue, "old", 2, "p!c", start + seconds(3));
    CHECK(given(queue) == "1:old");
    push(queue, "older", 2, "p!c", start + seconds(3));
    CHECK(queue.has_ungiven(start + seconds(2)));
    CHECK_FALSE(queue.has_ungiven(start + seconds(3)));
    CHECK(queue.expired_total() == 1);
    CHECK(push(queue, "new", 2, "p!c", later, start + seconds(3)) == push_result::queued);
    queue.give_again();
    CHECK(given(queue, 100, start + seconds(4)) == "3:new");
    CHECK(queue.expired_total() == 2);
}

TEST_CASE("a full queue makes room by what has expired") {
    message_queue queue;
    push(queue, "old", 1, "p!c", start + seconds(3));
    CHECK(push(queue, "new", 1) == push_result::full);
    CHECK(push(queue, "new", 1, "p!c", later, start + seconds(5)) == push_result::queued);
    CHECK(given(queue, 100, start + seconds(5)) == "2:new");
}

TEST_CASE("bytes are bounded, summed elsewhere too, and a reply's bytes end it") {
    std::size_t total = 0;
    {
        message_queue queue;
        queue.sum_into(total);
        const std::string large(message_queue::bytes_max / 2, 'x');
        CHECK(push(queue, large) == push_result::queued);
        CHECK(push(queue, large) == push_result::slow);
        CHECK(total == queue.bytes());
        CHECK(total > large.size());
    }
    CHECK(total == 0);
    message_queue queue;
    for (int i = 0; i < 4; ++i) push(queue, std::string(10, 'y'));
    CHECK(queue.give(100, 1, start, [](const auto&) {}) == 1);
    CHECK(queue.give(100, 70, start, [](const auto&) {}) == 2);
}

TEST_CASE("notices take no message's place and do not expire") {
    message_queue queue;
    push(queue, "a", 1);
    queue.push_notice(notice_envelope(notice::joined, "p!c", "g"));
    CHECK(queue.in_use() == 1);
    CHECK(queue.size() == 2);
    CHECK(queue.ungiven(later + seconds(1)).size() == 1);
    (void)given(queue, 100, later + seconds(1));
    CHECK(queue.acknowledge(2));
    CHECK(queue.in_use() == 0);
}

TEST_CASE("a queue in steady use does not grow") {
    message_queue queue;
    for (std::uint64_t i = 1; i <= 10'000; ++i) {
        REQUIRE(push(queue, "x") == push_result::queued);
        REQUIRE(given(queue) == std::to_string(i) + ":x");
        if (i > 3) REQUIRE(queue.acknowledge(i - 3));
        REQUIRE(queue.size() <= 4);
    }
}
