#pragma once
// Plays the traffic of producers and workers to an observer; time moves by hand.

#include <string>
#include <string_view>

#include "broker/base64.hpp"
#include "broker/observer.hpp"
#include "catch2/catch.hpp"

namespace observer_stage {

using namespace broker;

inline constexpr std::int64_t second = 1'000'000;
inline constexpr std::int64_t start = 1'790'000'000 * second;
inline const std::string mailbox_binding = "_kombu.binding.celery.pidbox";

inline std::string uuid(int number) {
    std::string digits = std::to_string(number);
    return "00000000-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits;
}

struct message_options {
    std::string task = "proj.add";
    std::string queue = "celery";
    std::string eta = "null";
    std::string exchange = "";
    bool redelivered = false;
};

inline std::string message(int number, const message_options& of = {}) {
    return R"({"body": "W10=", "content-encoding": "utf-8", "content-type": "application/json", )"
           R"("headers": {"task": ")" +
           of.task + R"(", "id": "id-)" + std::to_string(number) + R"(", "eta": )" + of.eta +
           R"(, "retries": 0, "origin": "gen1@web")" + (of.redelivered ? R"(, "redelivered": true)" : "") +
           R"(}, "properties": {"delivery_info": {"exchange": ")" + of.exchange + R"(", "routing_key": ")" +
           of.queue + R"("}, "priority": 0, "body_encoding": "base64", "delivery_tag": ")" + uuid(number) +
           R"("}})";
}

inline std::string event_message(const std::string& json) {
    return R"({"body": ")" + base64_encode(json) +
           R"(", "content-encoding": "utf-8", "content-type": "application/json", )" +
           R"("headers": {"hostname": "x"}, "properties": {"delivery_info": )" +
           R"({"exchange": "celeryev", "routing_key": "x"}, "priority": 0, )" +
           R"("body_encoding": "base64", "delivery_tag": "t"}})";
}

struct stage {
    observer watch;
    std::int64_t now = start;

    explicit stage(observer_limits limits = {}) : watch(limits) {}

    void note(std::uint64_t client, wire_kind kind, std::string_view key = {}, std::string_view text = {},
              std::string_view extra = {}) {
        const std::string_view body = kind == wire_kind::noted ? extra : text;
        watch.on_note({kind, 2, client, now, key, text, extra, body.size()});
    }
    void connect(std::uint64_t client, std::string_view address) {
        note(client, wire_kind::connected, {}, address);
    }
    void push(std::uint64_t client, int number, std::string_view key = "celery",
              const message_options& of = {}) {
        note(client, wire_kind::pushed, key, message(number, of), "left");
    }
    void pop(std::uint64_t client, int number, std::string_view key = "celery",
             const message_options& of = {}) {
        note(client, wire_kind::popped, key, message(number, of));
    }
    void take(std::uint64_t client, int number) {
        note(client, wire_kind::noted, "unacked", uuid(number), message(number));
    }
    void ack(std::uint64_t client, int number) {
        note(client, wire_kind::settled, "unacked_index", uuid(number));
        note(client, wire_kind::settled, "unacked", uuid(number));
    }
    void event(std::uint64_t client, const std::string& key, const std::string& json) {
        note(client, wire_kind::published, "/2.celeryev/" + key, event_message(json));
    }
    void pass(std::int64_t seconds) {
        for (std::int64_t i = 0; i < seconds; ++i) watch.tick(now += second);
    }
    queue_view queue(std::string_view name = "celery", const std::string& prefix = "") {
        const auto found = watch.queue({2, prefix}, name);
        REQUIRE(found);
        return *found;
    }
    // A worker: socket 10 pops, 11 notes, 12 tells its name and its heartbeat.
    void worker(std::uint64_t base = 10, const std::string& node = "w1@host",
                const std::string& host = "10.0.0.1") {
        for (std::uint64_t i = 0; i < 3; ++i)
            connect(base + i, host + ":" + std::to_string(50'000 + base + i));
        note(base, wire_kind::waits, "",
             "celery\ncelery\x06\x16"
             "3",
             "1000");
        note(base + 2, wire_kind::bound, mailbox_binding, "\x06\x16\x06\x16" + node + ".celery.pidbox");
        heartbeat(base + 2, node);
    }
    void heartbeat(std::uint64_t client, const std::string& node, int processed = 0) {
        event(client, "worker.heartbeat",
              R"({"type":"worker-heartbeat","hostname":")" + node + R"(","timestamp":)" +
                  std::to_string(now / second) + R"(,"pid":7,"clock":5,"freq":2.0,"active":1,"processed":)" +
                  std::to_string(processed) +
                  R"(,"loadavg":[1,2,3],"sw_ident":"py-celery","sw_ver":"5.6.3","sw_sys":"Linux"})");
    }
};

}  // namespace observer_stage
