#include "broker/celery_counters.hpp"

#include "catch2/catch.hpp"

using namespace broker;

namespace {

task_record task() {
    task_record record;
    record.name = "proj.add";
    record.queue = "celery";
    record.worker = "w1@host";
    return record;
}

bool has(const std::string& text, std::string_view line) {
    return text.find(std::string(line) + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("celery_counters counts under celery-exporter's names and labels", "[broker][celery_counters]") {
    celery_counters counters;
    task_record failed = task();
    failed.exception = "ValueError('no')";
    counters.sent(task(), "gen1@web");
    counters.count("task-succeeded", task());
    counters.count("task-failed", failed);
    counters.count("task-custom", task());
    counters.ran(task(), 0.06);
    counters.waited(task(), 40);
    std::string text;
    counters.write(text);
    CHECK(has(text, R"(celery_task_sent_total{name="proj.add",hostname="web",queue_name="celery"} 1)"));
    CHECK(has(text, R"(celery_task_succeeded_total{name="proj.add",hostname="host",queue_name="celery"} 1)"));
    CHECK(has(text, R"(celery_task_retried_total{name="proj.add",hostname="host",queue_name="celery"} 0)"));
    CHECK(has(text, R"(celery_task_failed_total{name="proj.add",hostname="host",queue_name="celery",)"
                    R"(exception="ValueError"} 1)"));
    CHECK(has(
        text,
        R"(celery_task_runtime_bucket{name="proj.add",hostname="host",queue_name="celery",le="0.05"} 0)"));
    CHECK(has(
        text,
        R"(celery_task_runtime_bucket{name="proj.add",hostname="host",queue_name="celery",le="0.075"} 1)"));
    CHECK(has(text,
              R"(celery_task_queue_wait_time_count{name="proj.add",hostname="host",queue_name="celery"} 1)"));
    CHECK(text.find("custom") == std::string::npos);
    counters.forget_host("host");
    text.clear();
    counters.write(text);
    CHECK(text.find("succeeded_total{") == std::string::npos);
    CHECK(text.find("sent_total{") != std::string::npos);
}

TEST_CASE("celery_counters bounds its series", "[broker][celery_counters]") {
    celery_counters counters;
    for (int i = 0; i < 6'000; ++i) {
        task_record each = task();
        each.name = "task" + std::to_string(i);
        counters.sent(each, "web");
    }
    std::string text;
    counters.write(text);
    CHECK(has(text, R"(celery_task_sent_total{name="other",hostname="",queue_name=""} 1000)"));
}

TEST_CASE("exception_class takes the name before the bracket", "[broker][celery_counters]") {
    CHECK(exception_class("KeyError('x')") == "KeyError");
    CHECK(exception_class("<Weird>") == "UnknownException");
    CHECK(exception_class("") == "UnknownException");
    CHECK(hostname_of("w@a@b") == "a@b");
    CHECK(hostname_of("plain") == "plain");
}
