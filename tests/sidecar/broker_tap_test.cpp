#include "sidecar/core/broker_tap.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "broker/transcript.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/process_state.hpp"

using namespace sidecar;
using std::chrono::milliseconds;
using part = broker::command_record::part;

namespace {

struct fixture {
    process_state process;
    broker_tap tap{process};
    upstream_queue queue;
    broker::transcript reader;
    std::vector<std::string> batches;  // each as the texts of its notes
    std::vector<std::string> delivered;
    time_point now{std::chrono::seconds(1)};

    fixture() {
        process.broker_notes = [this](const broker::note_batch& batch) {
            std::string texts;
            reader.read(batch, [&](const broker::wire_note& n) {
                texts += n.kind == broker::wire_kind::gap ? "(gap)" : std::string(n.text.substr(0, 8));
            });
            batches.push_back(texts);
        };
        tap.on_delivery = [this](int db, std::string_view hash, std::string_view tag) {
            delivered.push_back(std::to_string(db) + " " + std::string(hash) + " " + std::string(tag));
        };
    }
    void note(std::string_view text) {
        broker::wire_note n;
        n.text = text;
        tap.tell(n);
    }
    std::uint32_t sent(std::initializer_list<std::string_view> words, part is = part::alone,
                       std::uint32_t delivery = 0) {
        queue.push({}, resp::command(words));
        tap.record(queue, {7, 11, 2}, is, queue.back().bytes, delivery);
        return queue.back().note;
    }
    // A transaction that was sent whole; its commands behind MULTI.
    std::uint32_t sent_whole(std::initializer_list<std::vector<std::string_view>> commands,
                             std::uint32_t delivery = 0) {
        std::uint32_t bytes = 0;
        for (const auto& words : commands) bytes += static_cast<std::uint32_t>(encoded(words).size());
        queue.keep_together(bytes);
        for (const auto& words : commands) queue.push({}, encoded(words));
        tap.record(queue, {7, 11, 2}, part::whole, bytes, delivery);
        return queue.back().note;
    }
    static std::string encoded(const std::vector<std::string_view>& words) {
        std::string bytes;
        resp::append_command(bytes, words);
        return bytes;
    }
    std::uint32_t push(std::string_view message) { return sent({"LPUSH", "q", message}); }
    void pass(milliseconds time) {
        tap.finish_turn(now);
        now += time;
        tap.on_time(now);
    }
};

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("notes leave together when the oldest has waited a little", "[sidecar][broker_tap]") {
    fixture f;
    f.note("a");
    f.pass(milliseconds(5));
    f.note("b");
    CHECK(f.batches.empty());
    f.pass(milliseconds(20));
    CHECK(f.batches == texts{"ab"});
}

TEST_CASE("a large batch leaves at the turn's end", "[sidecar][broker_tap]") {
    fixture f;
    f.note(std::string(1'200'000, 'x'));
    f.tap.finish_turn(f.now);
    CHECK(f.batches.size() == 1);
    for (int i = 0; i < 5'000; ++i) f.tap.answered(f.push("m"), 2, ":1\r\n");
    f.tap.finish_turn(f.now);
    CHECK(f.batches.size() == 2);
}

TEST_CASE("a batch waits for what may still fail, and those behind it wait too", "[sidecar][broker_tap]") {
    fixture f;
    const auto first = f.push("a");
    CHECK(first != 0);
    f.pass(milliseconds(30));
    f.note("b");
    f.pass(milliseconds(30));
    CHECK(f.batches.empty());
    f.tap.answered(first, 2, ":1\r\n");
    CHECK(f.batches == texts{"a", "b"});
}

TEST_CASE("what failed is not told, whether its batch is open or sealed", "[sidecar][broker_tap]") {
    fixture f;
    const auto error = f.push("a");
    const auto nil = f.push("b");
    const auto good = f.push("c");
    f.tap.answered(nil, 2, "*-1\r\n");
    f.pass(milliseconds(30));
    const auto lost = f.push("d");
    f.note("e");
    f.tap.failed(lost);
    f.tap.answered(good, 2, "*1\r\n");
    f.tap.answered(error, 2, "-OOM\r\n");
    f.pass(milliseconds(30));
    CHECK(f.batches == texts{"c", "e"});
}

TEST_CASE("an answer that comes twice counts once", "[sidecar][broker_tap]") {
    fixture f;
    const auto one = f.push("a");
    const auto two = f.push("b");
    f.tap.answered(one, 2, ":1\r\n");
    f.tap.answered(one, 2, ":1\r\n");
    f.tap.failed(one);
    f.pass(milliseconds(30));
    f.tap.failed(one);
    CHECK(f.batches.empty());
    f.tap.answered(two, 2, ":1\r\n");
    CHECK(f.batches == texts{"ab"});
}

TEST_CASE("what the observer reads outlives its command in the queue", "[sidecar][broker_tap]") {
    fixture f;
    std::string expected;
    for (int i = 0; i < 500; ++i) {
        std::string message = std::to_string(1000 + i);
        message.resize(900, 'x');
        f.tap.answered(f.push(message), 2, ":1\r\n");
        std::vector<std::string_view> pieces(8);
        std::size_t bytes = 0;
        for (std::size_t n = f.queue.gather(pieces); n > 0; --n) bytes += pieces[n - 1].size();
        f.queue.on_written(bytes);
        f.queue.pop_front();
        expected += message.substr(0, 8);
    }
    f.pass(milliseconds(30));
    std::string all;
    for (const auto& batch : f.batches) all += batch;
    CHECK(all == expected);
}

TEST_CASE("a long message is told by its end", "[sidecar][broker_tap]") {
    fixture f;
    f.tap.answered(f.push(std::string(100'000, 'x') + std::string(8'184, 'y') + "the end"), 2, ":1\r\n");
    f.pass(milliseconds(30));
    CHECK(f.batches == texts{"xyyyyyyy"});
}

TEST_CASE("deliveries are told once their transaction has run", "[sidecar][broker_tap]") {
    fixture f;
    const auto transaction = [&](std::string_view tag) {
        const auto offset = fixture::encoded({"ZADD", "unacked_index", "1", tag}).size();
        return f.sent_whole({{"ZADD", "unacked_index", "1", tag}, {"HSET", "unacked", tag, "[{}]"}, {"EXEC"}},
                            broker_tap::expect_from(static_cast<std::uint32_t>(offset)));
    };
    f.tap.answered(transaction("t1"), 2, "*1\r\n:1\r\n");
    CHECK(f.delivered == texts{"2 unacked t1"});
    f.tap.answered(transaction("t2"), 2, "-EXECABORT\r\n");
    f.tap.failed(transaction("t3"));
    CHECK(f.delivered.size() == 1);
    // Known hash, and nothing waits to be confirmed.
    f.tap.answered(transaction("t4"), 2, "*1\r\n:1\r\n");
    CHECK(f.delivered.size() == 1);
    f.process.hand_overs.learn(2, "unacked");
    (void)f.process.hand_overs.delivered(2, {"celery", "t5", "{}", {}, true}, 9);
    f.tap.answered(transaction("t5"), 2, "*1\r\n:1\r\n");
    CHECK(f.delivered == texts{"2 unacked t1", "2 unacked t5"});
}

TEST_CASE("a transaction sent whole counts when it has run", "[sidecar][broker_tap]") {
    fixture f;
    for (int i = 0; i < 3'000; ++i) {
        const std::string message = std::to_string(1000 + i);
        const auto ticket =
            f.sent_whole({{"LPUSH", "q", message}, {"GET", "a"}, {"lpush", "q", "b"}, {"EXEC"}});
        if (i % 3 == 0) {
            f.tap.failed(ticket);
        } else {
            f.tap.answered(ticket, 2, i % 3 == 1 ? "*-1\r\n" : "*3\r\n:1\r\n");
        }
        if (i % 500 == 0) f.pass(milliseconds(30));
    }
    f.pass(milliseconds(30));
    std::string all;
    std::string expected;
    for (const auto& batch : f.batches) all += batch;
    for (int i = 2; i < 3'000; i += 3) expected += std::to_string(1000 + i) + "b";
    CHECK(all == expected);
}

TEST_CASE("deliveries noted long before are told with what ends them", "[sidecar][broker_tap]") {
    fixture f;
    std::string both;
    broker_tap::add_delivery(both, "unacked", "a");
    broker_tap::add_delivery(both, "p:unacked", "b");
    f.tap.failed(f.sent({"EXEC"}, part::ends, f.tap.expect(both)));
    CHECK(f.delivered.empty());
    const auto ticket = f.sent({"EXEC"}, part::ends, f.tap.expect(both));
    f.pass(milliseconds(30));
    f.tap.answered(ticket, 2, "*1\r\n:1\r\n");
    CHECK(f.delivered == texts{"2 unacked a", "2 p:unacked b"});
}

TEST_CASE("beyond its bound what is held back is dropped and the gap told; deliveries are followed on",
          "[sidecar][broker_tap]") {
    fixture f;
    std::string delivery;
    broker_tap::add_delivery(delivery, "unacked", "a");
    const auto stuck = f.sent({"HSET", "unacked", "a", "[{}]"}, part::alone, f.tap.expect(delivery));
    for (int i = 0; i < 100; ++i) {
        f.note(std::string(300'000, 'x'));
        f.tap.finish_turn(f.now);
    }
    CHECK(f.tap.dropped() > 0);
    f.tap.answered(stuck, 2, ":1\r\n");
    CHECK(f.delivered == texts{"2 unacked a"});
    f.note("later");
    f.pass(milliseconds(30));
    REQUIRE_FALSE(f.batches.empty());
    CHECK(f.batches.front().starts_with("(gap)"));
    CHECK(f.batches.back().ends_with("later"));
}
