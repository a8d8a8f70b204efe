#include "sidecar/control/control_thread.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <vector>

using sidecar::control_limits;
using sidecar::control_thread;

namespace {

constexpr std::chrono::seconds patience{10};

broker::note_batch batch_of(std::string_view notes) {
    broker::note_batch batch;
    batch.records = {std::make_unique<broker::command_record[]>(1), 1};
    batch.notes = notes;
    return batch;
}

}  // namespace

TEST_CASE("control_thread runs batches, jobs and ticks on one thread, in their order", "[control_thread]") {
    std::vector<std::string> seen;
    std::promise<void> ticked;
    bool first = true;
    control_thread thread;
    thread.start({[&](const broker::note_batch& batch) { seen.push_back(batch.notes); }, [] {},
                  [&] {
                      if (std::exchange(first, false)) ticked.set_value();
                  }});
    REQUIRE(ticked.get_future().wait_for(patience) == std::future_status::ready);
    std::promise<void> begin;
    std::promise<void> done;
    REQUIRE(thread.post([&] { begin.get_future().wait(); }));
    thread.post_batch(batch_of("a"));
    thread.post_batch(batch_of("b"));
    REQUIRE(thread.post([&] { seen.emplace_back("job"); }));
    REQUIRE(thread.post([&] { done.set_value(); }));
    begin.set_value();
    REQUIRE(done.get_future().wait_for(patience) == std::future_status::ready);
    thread.stop();
    CHECK(seen == std::vector<std::string>{"a", "job", "b"});
    CHECK_FALSE(thread.post([] {}));
}

TEST_CASE("control_thread drops batches that do not fit and tells of the gap", "[control_thread]") {
    std::vector<std::string> seen;
    std::promise<void> told;
    control_thread thread(control_limits{70, 1, std::chrono::milliseconds(10)});
    thread.start({[&](const broker::note_batch& batch) { seen.push_back(batch.notes); },
                  [&] {
                      seen.emplace_back("gap");
                      told.set_value();
                  },
                  [] {}});
    std::promise<void> begun;
    std::promise<void> begin;
    REQUIRE(thread.post([&] {
        begun.set_value();
        begin.get_future().wait();
    }));
    begun.get_future().wait();
    thread.post_batch(batch_of("12345678"));
    thread.post_batch(batch_of("123"));
    CHECK(thread.dropped_batches() == 1);
    CHECK(thread.post([] {}));
    CHECK_FALSE(thread.post([] {}));
    begin.set_value();
    REQUIRE(told.get_future().wait_for(patience) == std::future_status::ready);
    thread.stop();
    CHECK(seen == std::vector<std::string>{"12345678", "gap"});
}

TEST_CASE("control_thread hurries what takes too long at its end", "[control_thread]") {
    control_thread thread;
    thread.start({[](const broker::note_batch&) {}, [] {}, [] {}});
    std::promise<void> begun;
    std::promise<void> hurried;
    REQUIRE(thread.post([&] {
        begun.set_value();
        hurried.get_future().wait();
    }));
    begun.get_future().wait();
    thread.stop(std::chrono::milliseconds(1), [&] { hurried.set_value(); });
    thread.start({[](const broker::note_batch&) {}, [] {}, [] {}});
    bool needless = false;
    thread.stop(patience, [&] { needless = true; });
    CHECK_FALSE(needless);
}
