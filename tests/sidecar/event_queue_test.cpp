#include "sidecar/http/event_queue.hpp"

#include <catch2/catch.hpp>

using sidecar::event_hub;

TEST_CASE("event_hub gives each listener what it asked for", "[event_queue]") {
    event_hub hub;
    CHECK_FALSE(hub.listened());
    const auto all = hub.subscribe({}, 0);
    const auto some = hub.subscribe({"change"}, 0);
    int woken = 0;
    all->on_news([&] { ++woken; });
    hub.publish("task-sent", "{}");
    hub.publish("change", R"({"a":1})");
    CHECK(woken == 1);
    CHECK(some->take() == "id: 2\nevent: change\ndata: {\"a\":1}\n\n");
    CHECK(all->take().find("task-sent") != std::string::npos);
    CHECK(all->take().empty());
    CHECK(hub.listened());
}

TEST_CASE("event_hub goes on behind the last event a reader saw", "[event_queue]") {
    event_hub hub;
    hub.publish("a", "1");
    hub.publish("a", "2");
    hub.publish("a", "3");
    CHECK(hub.subscribe({}, 2)->take() == "id: 3\nevent: a\ndata: 3\n\n");
}

TEST_CASE("event_queue drops the oldest of a reader that does not keep up, and says so", "[event_queue]") {
    event_hub hub;
    const auto slow = hub.subscribe({}, 0);
    const std::string large(400'000, 'x');
    for (int i = 0; i < 4; ++i) hub.publish("a", large);
    const std::string text = slow->take();
    CHECK(text.starts_with("event: lost\ndata: {\"events\":2}\n\n"));
    CHECK(text.size() < 1'000'000);
}

TEST_CASE("event_hub bounds its streams and forgets those that ended", "[event_queue]") {
    event_hub hub;
    std::vector<std::shared_ptr<sidecar::event_queue>> open;
    for (int i = 0; i < 64; ++i) open.push_back(hub.subscribe({}, 0));
    CHECK(hub.subscribe({}, 0) == nullptr);
    open.pop_back();
    CHECK(hub.subscribe({}, 0) != nullptr);
}
