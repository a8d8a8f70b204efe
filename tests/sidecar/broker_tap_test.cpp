#include "sidecar/core/broker_tap.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "sidecar/core/process_state.hpp"

using namespace sidecar;
using std::chrono::milliseconds;

namespace {

struct fixture {
    process_state process;
    broker_tap tap{process};
    std::vector<std::string> batches;  // each as the texts of its notes
    time_point now{std::chrono::seconds(1)};

    fixture() {
        process.broker_notes = [this](const std::string& batch) {
            std::string texts;
            broker::note_reader reader(batch);
            for (broker::wire_note n; reader.next(n);)
                texts += n.kind == broker::wire_kind::gap ? "(gap)" : std::string(n.text);
            batches.push_back(texts);
        };
    }
    void note(std::string_view text) {
        broker::wire_note n;
        n.text = text;
        broker::append(tap.batch(), n);
    }
    std::uint32_t hopeful(std::string_view text) {
        const std::size_t begin = tap.batch().size();
        note(text);
        return tap.expect(begin, broker_tap::tells::traffic);
    }
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
    f.note(std::string(40'000, 'x'));
    f.tap.finish_turn(f.now);
    CHECK(f.batches.size() == 1);
}

TEST_CASE("a batch waits for what may still fail, and those behind it wait too", "[sidecar][broker_tap]") {
    fixture f;
    const auto first = f.hopeful("a");
    f.pass(milliseconds(30));
    f.note("b");
    f.pass(milliseconds(30));
    CHECK(f.batches.empty());
    f.tap.answered(first, 2, ":1\r\n");
    CHECK(f.batches == texts{"a", "b"});
}

TEST_CASE("what failed is cut out, whether its batch is open or sealed", "[sidecar][broker_tap]") {
    fixture f;
    const auto error = f.hopeful("a");
    const auto nil = f.hopeful("b");
    const auto good = f.hopeful("c");
    f.tap.answered(nil, 2, "*-1\r\n");
    f.pass(milliseconds(30));
    const auto lost = f.hopeful("d");
    f.note("e");
    f.tap.failed(lost);
    f.tap.answered(good, 2, "*1\r\n");
    f.tap.answered(error, 2, "-OOM\r\n");
    f.pass(milliseconds(30));
    CHECK(f.batches == texts{"c", "e"});
}

TEST_CASE("an answer that comes twice counts once", "[sidecar][broker_tap]") {
    fixture f;
    const auto one = f.hopeful("a");
    const auto two = f.hopeful("b");
    f.tap.answered(one, 2, ":1\r\n");
    f.tap.answered(one, 2, ":1\r\n");
    f.tap.failed(one);
    f.pass(milliseconds(30));
    CHECK(f.batches.empty());
    f.tap.answered(two, 2, ":1\r\n");
    CHECK(f.batches == texts{"ab"});
}

TEST_CASE("beyond its bound what is held back is dropped and the gap told", "[sidecar][broker_tap]") {
    fixture f;
    const auto stuck = f.hopeful("a");
    for (int i = 0; i < 300; ++i) {
        f.note(std::string(40'000, 'x'));
        f.tap.finish_turn(f.now);
    }
    CHECK(f.tap.dropped() > 0);
    f.tap.answered(stuck, 2, ":1\r\n");
    f.note("later");
    f.pass(milliseconds(30));
    REQUIRE_FALSE(f.batches.empty());
    CHECK(f.batches.front().starts_with("(gap)"));
    CHECK(f.batches.back().ends_with("later"));
}
