#include "broker/observer.hpp"

#include <algorithm>

#include "catch2/catch.hpp"
#include "tests/broker/observer_stage.hpp"

using namespace broker;
using namespace observer_stage;

TEST_CASE("observer knows how long a message waited and how old the oldest is", "[broker][observer]") {
    stage at;
    at.connect(1, "10.0.0.9:1");
    at.note(1, wire_kind::deleted, "celery");
    at.push(1, 1);
    at.watch.on_depth(2, "celery", 0, std::nullopt, at.now);
    at.pass(2);
    at.push(1, 2);
    at.watch.on_depth(2, "celery", 2, uuid(1), at.now);
    CHECK(at.queue().oldest_enqueued_us == start);
    CHECK(at.watch.enqueued_at_us(uuid(2)) == start + 2 * second);
    at.pass(3);
    at.connect(2, "10.0.0.1:1");
    at.pop(2, 1);
    CHECK(at.queue().oldest_enqueued_us == start + 2 * second);
    const auto types = at.watch.task_types();
    REQUIRE(types.size() == 1);
    CHECK(types[0].name == "proj.add");
    CHECK(types[0].sent == 2);
    CHECK(types[0].wait.count == 1);
    CHECK(types[0].wait.sum == Approx(5));
}

TEST_CASE("observer says unknown of what stood in the queue before it came", "[broker][observer]") {
    stage at;
    at.connect(1, "10.0.0.9:1");
    at.push(1, 5);
    at.watch.on_depth(2, "celery", 100, uuid(1), at.now);
    CHECK(at.queue().oldest_enqueued_us == std::nullopt);
    CHECK(at.queue().ready == 100);
    at.watch.on_depth(2, "celery", 1, uuid(5), at.now);
    CHECK(at.queue().oldest_enqueued_us == start);
}

TEST_CASE("observer shows a queue that it was told of, without having seen it used", "[broker][observer]") {
    stage at;
    at.watch.know_list(2, "quiet");
    at.watch.on_depth(2, "quiet", 3, uuid(1), at.now);
    CHECK(at.queue("quiet").ready == 3);
    CHECK(at.queue("quiet").oldest_enqueued_us == std::nullopt);
}

TEST_CASE("observer counts in, out and acknowledged, and their rates", "[broker][observer]") {
    stage at;
    at.worker();
    at.connect(1, "10.0.0.9:1");
    for (int i = 0; i < 20; ++i) {
        at.push(1, i);
        at.pop(10, i);
        at.take(11, i);
        at.ack(11, i);
        at.pass(1);
    }
    const auto queue = at.queue();
    CHECK(queue.pushed_total == 20);
    CHECK(queue.popped_total == 20);
    CHECK(queue.acked_total == 20);
    CHECK(queue.last_10s.in_per_second == Approx(1));
    CHECK(queue.last_60s.ack_per_second == Approx(1));
    CHECK(queue.consumers == std::vector<std::uint64_t>{10});
    at.pass(20);
    CHECK(at.queue().last_10s.out_per_second == 0);
}

TEST_CASE("observer takes notes of different shards in any order", "[broker][observer]") {
    stage at;
    at.worker();
    at.connect(1, "10.0.0.9:1");
    SECTION("the pop is told before the push") {
        at.pop(10, 1);
        at.push(1, 1);
        CHECK(at.queue().enqueued_known == 0);
        CHECK(at.watch.task_types()[0].wait.count == 1);
    }
    SECTION("the note in unacked is told before the pop") {
        at.push(1, 1);
        at.take(11, 1);
        at.pop(10, 1);
        CHECK(at.watch.redeliveries(uuid(1)) == 0);
        CHECK(at.watch.owner_of({2, ""}, uuid(1)).state == owner_state::alive);
        at.ack(11, 1);
        at.pass(1);
        CHECK(at.queue().acked_total == 1);
    }
    SECTION("everything is told before the pop") {
        at.take(11, 1);
        at.ack(11, 1);
        at.pass(1);
        at.now -= second;
        at.pop(10, 1);
        CHECK(at.watch.owner_of({2, ""}, uuid(1)).state == owner_state::unknown);
        CHECK(at.watch.unacked_by_state({2, ""}).empty());
    }
}

TEST_CASE("observer ties tag, sockets and node, and finds orphans in seconds", "[broker][observer]") {
    stage at;
    at.worker();
    at.connect(1, "10.0.0.9:1");
    at.push(1, 1);
    at.pop(10, 1);
    at.take(11, 1);
    at.pass(1);
    const broker_id broker{2, ""};
    CHECK(at.watch.owner_of(broker, uuid(1)).state == owner_state::alive);
    CHECK(at.watch.owner_of(broker, uuid(1)).node == "w1@host");
    for (const std::uint64_t client : {10, 11, 12}) at.note(client, wire_kind::gone);
    at.now += second;
    at.watch.tick(at.now);
    at.pass(9);
    CHECK(at.watch.owner_of(broker, uuid(1)).state == owner_state::orphan);
    const auto orphans = at.watch.orphans();
    REQUIRE(orphans.size() == 1);
    CHECK(orphans[0].tag == uuid(1));
    CHECK(orphans[0].hash == "unacked");
    CHECK(orphans[0].queue == "celery");
    CHECK(at.watch.counts().orphans_seen == 1);
    REQUIRE(at.watch.workers().size() == 1);
    CHECK(at.watch.workers()[0].state == liveness::gone);
    at.watch.forget_unacked(uuid(1));
    CHECK(at.watch.orphans().empty());
}

TEST_CASE("observer does not take a worker that reconnected for a dead one", "[broker][observer]") {
    stage at;
    at.worker();
    at.pop(10, 1);
    at.take(11, 1);
    at.pass(11);
    for (const std::uint64_t client : {10, 11, 12}) at.note(client, wire_kind::gone);
    at.pass(2);
    const bool same = GENERATE(true, false);
    at.worker(20);
    if (!same) {
        at.event(22, "worker.online",
                 R"({"type":"worker-online","hostname":"w1@host","timestamp":1,"pid":8,"clock":1})");
    }
    at.pass(8);
    at.heartbeat(22, "w1@host");
    const auto owner = at.watch.owner_of({2, ""}, uuid(1));
    CHECK(owner.state == (same ? owner_state::reconnected : owner_state::orphan));
    CHECK(at.watch.orphans().size() == (same ? 0 : 1));
}

TEST_CASE("observer: a pop told behind its note makes one process of two", "[broker][observer]") {
    stage at;
    at.connect(10, "10.0.0.1:50010");
    at.connect(11, "10.0.0.1:50011");
    at.heartbeat(11, "w1@host");
    at.push(1, 1);
    at.take(11, 1);
    at.pop(10, 1);
    const auto task = at.watch.task("id-1");
    REQUIRE(task);
    CHECK(task->worker == "w1@host");
}

TEST_CASE("observer tells a restore from an acknowledgement, and counts redeliveries", "[broker][observer]") {
    stage at;
    at.worker();
    at.push(1, 1);
    at.pop(10, 1);
    at.take(11, 1);
    at.pass(1);
    at.note(30, wire_kind::settled, "unacked_index", uuid(1));
    at.note(30, wire_kind::settled, "unacked", uuid(1));
    at.note(30, wire_kind::pushed, "celery", message(1, {.redelivered = true}), "right");
    at.pass(1);
    CHECK(at.queue().acked_total == 0);
    CHECK(at.queue().enqueued_known == 1);
    CHECK(at.watch.enqueued_at_us(uuid(1)) == start);
    at.pop(10, 1, "celery", {.redelivered = true});
    CHECK(at.watch.redeliveries(uuid(1)) == 1);
    CHECK(at.queue().redelivered_total == 1);
    at.take(11, 1);
    at.ack(11, 1);
    at.pass(1);
    CHECK(at.queue().acked_total == 1);
    CHECK(at.watch.redeliveries(uuid(1)) == 0);
}

TEST_CASE("observer counts what was put back, and does not raise its dead client", "[broker][observer]") {
    stage at;
    at.worker();
    at.push(1, 1);
    at.pop(10, 1);
    at.note(10, wire_kind::gone);
    at.note(10, wire_kind::put_back, "celery", message(1), uuid(1));
    CHECK(at.watch.counts().put_backs == 1);
    CHECK(at.queue().put_back_total == 1);
    CHECK(at.queue().enqueued_known == 1);
    CHECK(at.watch.enqueued_at_us(uuid(1)) == start);
    const auto open = at.watch.clients();
    CHECK(std::none_of(open.begin(), open.end(), [](const client_view& each) { return each.id == 10; }));
    at.note(11, wire_kind::withheld, "celery", message(2), "revoked");
    CHECK(at.watch.counts().withheld.at("revoked") == 1);
}

TEST_CASE("observer measures visibility timeouts and gives the shortest", "[broker][observer]") {
    stage at;
    at.note(1, wire_kind::swept, "unacked_index", std::to_string(start / second - 3600) + ".0");
    at.note(2, wire_kind::swept, "unacked_index", std::to_string(start / second - 60) + ".0");
    at.note(3, wire_kind::swept, "unacked_index", "+inf");
    CHECK(at.watch.visibility_timeouts().size() == 2);
    CHECK(at.watch.visibility_timeout_s({2, ""}) == Approx(60));
}

TEST_CASE("observer learns prefix, separator and steps", "[broker][observer]") {
    stage at;
    at.note(1, wire_kind::bound, "pfx:_kombu.binding.celery", "jobs\x06\x16\x06\x16jobs");
    at.note(1, wire_kind::waits, "", "pfx:jobs\npfx:jobs:1\npfx:jobs:5", "1000");
    at.push(1, 1, "pfx:jobs:5");
    at.push(1, 2, "other:5");
    const auto queue = at.queue("jobs", "pfx:");
    REQUIRE(queue.lists.size() == 3);
    CHECK(queue.lists[2].priority == 5);
    CHECK(queue.lists[2].pushed == 1);
    CHECK(queue.bound);
    CHECK(at.queue("other:5").pushed_total == 1);
    CHECK(at.watch.namings({2, "pfx:"})[0].separator == ":");
    CHECK(at.watch.namings({2, "pfx:"})[0].steps == std::vector<int>{0, 1, 5});
    CHECK(at.watch.brokers() == std::vector<broker_id>{{2, ""}, {2, "pfx:"}});
    CHECK(at.watch.unacked_key({2, "pfx:"}) == "pfx:unacked");
}

TEST_CASE("observer counts lookups that no push follows", "[broker][observer]") {
    stage at;
    at.note(1, wire_kind::routed, "_kombu.binding.news");
    at.push(1, 1, "celery", {.exchange = "news"});
    at.pass(3);
    CHECK(at.watch.silent_drops().empty());
    at.note(1, wire_kind::routed, "_kombu.binding.news");
    at.pass(3);
    REQUIRE(at.watch.silent_drops().size() == 1);
    CHECK(at.watch.silent_drops()[0].exchange == "news");
    CHECK(at.watch.silent_drops()[0].count == 1);
    at.note(1, wire_kind::routed, "_kombu.binding.reply.celery.pidbox");
    at.pass(3);
    CHECK(at.watch.counts().silent_drops == 1);
}

TEST_CASE("observer follows a task through its events, whatever their order", "[broker][observer]") {
    stage at;
    std::vector<std::string> types;
    at.watch.set_event_sink(
        [&](const broker_id&, std::string_view type, std::string_view) { types.emplace_back(type); });
    at.worker();
    at.push(1, 1);
    CHECK(at.watch.task("id-1")->state == task_state::sent);
    at.pop(10, 1);
    CHECK(at.watch.task("id-1")->state == task_state::taken);
    at.take(11, 1);
    at.event(12, "task.multi",
             R"([{"type":"task-started","uuid":"id-1","hostname":"w1@host","timestamp":1790000001.5},)"
             R"({"type":"task-received","uuid":"id-1","name":"proj.add","hostname":"w1@host",)"
             R"("timestamp":1790000001.0},)"
             R"({"type":"task-succeeded","uuid":"id-1","hostname":"w1@host","runtime":0.25,"result":"4",)"
             R"("timestamp":1790000002.0},7])");
    const task_record* const task = at.watch.task("id-1");
    REQUIRE(task != nullptr);
    CHECK(task->state == task_state::succeeded);
    CHECK(task->worker == "w1@host");
    CHECK(task->queue == "celery");
    CHECK(task->runtime_s == Approx(0.25));
    CHECK(types ==
          std::vector<std::string>{"worker-heartbeat", "task-started", "task-received", "task-succeeded"});
    CHECK(at.watch.counts().unreadable_events == 1);
}

TEST_CASE("observer knows what unacknowledged messages do", "[broker][observer]") {
    stage at;
    at.worker();
    const message_options later{.eta = R"("2026-12-31T00:00:00+00:00")"};
    at.pop(10, 1, "celery", later);
    at.take(11, 1);
    for (const int number : {2, 3, 4}) {
        at.pop(10, number);
        at.take(11, number);
    }
    at.event(12, "task.multi",
             R"([{"type":"task-received","uuid":"id-2","hostname":"w1@host","timestamp":1790000001},)"
             R"({"type":"task-received","uuid":"id-3","hostname":"w1@host","timestamp":1790000001},)"
             R"({"type":"task-started","uuid":"id-3","hostname":"w1@host","timestamp":1790000001}])");
    const broker_id broker{2, ""};
    CHECK(at.watch.state_of(broker, uuid(1)) == unacked_state::eta);
    CHECK(at.watch.state_of(broker, uuid(2)) == unacked_state::prefetched);
    CHECK(at.watch.state_of(broker, uuid(3)) == unacked_state::running);
    CHECK(at.watch.state_of(broker, uuid(4)) == unacked_state::unknown);
    CHECK(at.watch.state_of(broker, uuid(5)) == unacked_state::unknown);
    CHECK(at.watch.workers()[0].unacked == 4);
}

TEST_CASE("observer after a gap claims nothing it cannot know", "[broker][observer]") {
    stage at;
    at.worker();
    at.push(1, 1);
    at.push(1, 2);
    at.pop(10, 1);
    at.take(11, 1);
    at.watch.on_gap(at.now + 1);
    CHECK(at.watch.owner_of({2, ""}, uuid(1)).state == owner_state::unknown);
    CHECK(at.queue().oldest_enqueued_us == std::nullopt);
    CHECK(at.watch.enqueued_at_us(uuid(2)) == start);
    at.pass(10);
    at.watch.retain_clients({11, 12}, at.now);
    const auto open = at.watch.clients();
    CHECK(std::none_of(open.begin(), open.end(), [](const client_view& each) { return each.id == 10; }));
}

TEST_CASE("observer keeps its bounds", "[broker][observer]") {
    stage at(
        observer_limits{.tags_max = 10, .unacked_max = 5, .lists_max = 3, .clients_max = 4, .tasks_max = 8});
    for (int i = 0; i < 50; ++i) {
        at.push(1, i, "q" + std::to_string(i % 5));
        at.pop(2, i, "q0");
        at.note(static_cast<std::uint64_t>(100 + i), wire_kind::waits, "", "q0", "1000");
    }
    const observer_counts& counts = at.watch.counts();
    CHECK(counts.lists_refused > 0);
    CHECK(counts.clients_refused == 48);
    CHECK(counts.unacked_refused > 0);
    CHECK(counts.tasks_forgotten > 0);
    CHECK(at.watch.tasks(100, {}).size() == 8);
}

TEST_CASE("observer learns a result backend's prefix from who tells and who waits", "[broker][observer]") {
    stage at;
    at.note(1, wire_kind::published, "x_celery-task-meta-" + uuid(1), "{}");
    at.note(2, wire_kind::listens, "y_celery-task-meta-" + uuid(2));
    CHECK(at.watch.result_prefixes(2) == std::vector<std::string>{"x_", "y_"});
}

TEST_CASE("observer tells other sidecars of Celery's consumers, not of other programs' lists",
          "[broker][observer]") {
    stage at;
    at.connect(1, "10.0.0.7:1");
    at.connect(2, "10.0.0.8:1");
    at.note(1, wire_kind::waits, "", "jobs\nmails");
    at.note(2, wire_kind::waits, "",
            "celery\ncelery\x06\x16"
            "3\ncelery\x06\x16"
            "6\ncelery\x06\x16"
            "9");
    CHECK(at.watch.worker_places() == std::vector<worker_place>{{"10.0.0.8", ""}});
}

TEST_CASE("observer finds no orphans of a worker that has sockets at another sidecar", "[broker][observer]") {
    stage at;
    at.connect(1, "10.0.0.7:1");
    at.connect(2, "10.0.0.7:2");
    at.push(9, 1);
    at.pop(1, 1);
    at.take(2, 1);
    CHECK(at.watch.worker_places() == std::vector<worker_place>{{"10.0.0.7", ""}});
    const bool there = GENERATE(true, false);
    elsewhere others;
    others.others = true;
    if (there) others.places.insert({"10.0.0.7", "w1@x"});
    at.watch.set_elsewhere(others);
    at.note(1, wire_kind::gone);
    at.note(2, wire_kind::gone);
    CHECK(at.watch.worker_places().empty());
    at.watch.tick(at.now + 6 * second);
    CHECK(at.watch.orphans().empty());  // the other may not have told yet
    at.watch.tick(at.now + 9 * second);
    CHECK(at.watch.orphans().size() == (there ? 0 : 1));
    CHECK(at.watch.owner_of({}, uuid(1)).state == (there ? owner_state::reconnected : owner_state::orphan));
}
