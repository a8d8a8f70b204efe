#include "broker/broker_metrics.hpp"

#include "catch2/catch.hpp"
#include "tests/broker/observer_stage.hpp"

using namespace broker;
using namespace observer_stage;

namespace {

bool has(const std::string& text, const std::string& line) {
    return text.find(line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("broker_metrics_text has the figures under both families of names", "[broker][broker_metrics]") {
    stage at;
    at.worker();
    at.push(1, 1);
    at.push(1, 2,
            "celery\x06\x16"
            "3");
    at.pop(10, 1);
    at.take(11, 1);
    at.watch.on_stats({2, ""}, "w1@host", 4, 16);
    at.event(
        12, "task.multi",
        R"([{"type":"task-received","uuid":"id-1","name":"proj.add","hostname":"w1@host","timestamp":1},)"
        R"({"type":"task-started","uuid":"id-1","hostname":"w1@host","timestamp":1}])");
    at.pass(2);
    at.watch.on_depth(2, "celery", 0, std::nullopt, at.now);
    at.watch.on_depth(2,
                      "celery\x06\x16"
                      "3",
                      1, uuid(2), at.now);
    finding problem{"clock-skew", severity::warning, {2, ""}, "w", {}, {}, {}};
    const std::string text = broker_metrics_text(at.watch, {&problem, 1}, {}, at.now);
    for (const std::string line : {
             R"(sidecar_broker_queue_ready{db="2",prefix="",queue="celery",priority="0"} 0)",
             R"(sidecar_broker_queue_ready{db="2",prefix="",queue="celery",priority="3"} 1)",
             R"(sidecar_broker_queue_oldest_seconds{db="2",prefix="",queue="celery"} 2)",
             R"(sidecar_broker_published_total{db="2",prefix="",queue="celery"} 2)",
             R"(sidecar_broker_delivered_total{db="2",prefix="",queue="celery"} 1)",
             R"(sidecar_broker_queue_consumers{db="2",prefix="",queue="celery"} 1)",
             R"(sidecar_broker_unacked{db="2",prefix="",state="running"} 1)",
             R"(sidecar_broker_worker_up{db="2",prefix="",worker="w1@host",state="online"} 1)",
             R"(sidecar_broker_wait_seconds_count{db="2",prefix="",queue="celery",task="proj.add"} 1)",
             R"(sidecar_broker_findings{finding="clock-skew",severity="warning"} 1)",
             R"(celery_worker_up{hostname="host"} 1)",
             R"(celery_worker_tasks_active{hostname="host"} 1)",
             R"(celery_queue_length{queue_name="celery"} 1)",
             R"(celery_active_worker_count{queue_name="celery"} 1)",
             R"(celery_active_consumer_count{queue_name="celery"} 1)",
             R"(celery_active_process_count{queue_name="celery"} 4)",
             R"(celery_task_sent_total{name="proj.add",hostname="web",queue_name="celery"} 2)",
             R"(celery_task_received_total{name="proj.add",hostname="host",queue_name="celery"} 1)",
         }) {
        CAPTURE(line);
        CHECK(has(text, line));
    }
}

TEST_CASE("broker_metrics_text says nothing of an age it does not know", "[broker][broker_metrics]") {
    stage at;
    at.push(1, 1);
    at.watch.on_depth(2, "celery", 50, uuid(9), at.now);
    const std::string text = broker_metrics_text(at.watch, {}, {}, at.now);
    CHECK(text.find("oldest_seconds{") == std::string::npos);
    CHECK(has(text, R"(celery_queue_length{queue_name="celery"} 50)"));
}

TEST_CASE("broker_metrics_text counts a wait once, in whichever order pop and push are told",
          "[broker][broker_metrics]") {
    stage at;
    at.worker();
    const bool pop_first = GENERATE(true, false);
    if (pop_first) at.pop(10, 1);
    at.push(1, 1);
    if (!pop_first) at.pop(10, 1);
    const std::string text = broker_metrics_text(at.watch, {}, {}, at.now);
    const std::string name = "celery_task_queue_wait_time_count{";
    const auto line = text.find(name);
    REQUIRE(line != std::string::npos);
    CHECK(text.find("} 1\n", line) < text.find('\n', line));
    CHECK(text.find(name, line + 1) == std::string::npos);
}
