#include "sidecar/core/channel_calls.hpp"

#include <catch2/catch.hpp>

#include "tests/sidecar/session_harness.hpp"

using namespace tests;
using channels::native_call;
using channels::script;

namespace {

struct outcome {
    int answers = 0;
    call_failure failure = call_failure::none;
    std::int64_t number = -1;
    channel_calls::answer sink() {
        return [this](call_failure f, const resp::value& reply) {
            ++answers;
            failure = f;
            number = reply.integer;
        };
    }
};

native_call some_call() {
    return {script::count, {1, "asgi"}, "node", {"room"}};
}

}  // namespace

TEST_CASE("channel_calls: a call waits for registration, then runs by its SHA1 and over the full role") {
    session_harness h;
    channel_calls calls(*h.core);
    h.redis.scripted["EVALSHA"] = ":7\r\n";
    outcome o;
    calls.run(some_call(), o.sink());
    h.turn();
    CHECK(o.answers == 0);
    calls.set_ready(1, true);
    h.turn();
    CHECK(o.answers == 1);
    CHECK(o.failure == call_failure::none);
    CHECK(o.number == 7);
    CHECK(h.redis.log.back().first == 1);
    CHECK(h.redis.log.back().second[1] == channels::text_of(script::count).sha1);
    calls.close();
}

TEST_CASE("channel_calls: a script Redis does not know is sent whole") {
    session_harness h;
    channel_calls calls(*h.core);
    calls.set_ready(1, true);
    h.redis.scripted["EVALSHA"] = "-NOSCRIPT No matching script.\r\n";
    h.redis.scripted["EVAL"] = ":3\r\n";
    outcome o;
    calls.run(some_call(), o.sink());
    h.turn();
    CHECK(o.answers == 1);
    CHECK(o.number == 3);
    CHECK(h.redis.count_of("EVALSHA") == 1);
    CHECK(h.redis.count_of("EVAL") == 1);
    calls.close();
}

TEST_CASE("channel_calls: an error of Redis is a failure") {
    session_harness h;
    channel_calls calls(*h.core);
    calls.set_ready(1, true);
    h.redis.scripted["EVALSHA"] = "-OOM command not allowed\r\n";
    outcome o;
    calls.run(some_call(), o.sink());
    h.turn();
    CHECK(o.answers == 1);
    CHECK(o.failure == call_failure::not_sent);
    CHECK(h.count().channel_calls_failed == 1);
    calls.close();
}

TEST_CASE("channel_calls: what waits for registration fails when the hold is over, and never runs later") {
    session_harness h;
    channel_calls calls(*h.core);
    h.redis.scripted["EVALSHA"] = ":7\r\n";
    outcome o;
    calls.run(some_call(), o.sink());
    const auto hold = h.core->settings().settings.hold;
    calls.on_time(h.core->now() + hold - milliseconds(1));
    CHECK(o.answers == 0);
    calls.on_time(h.core->now() + hold);
    CHECK(o.answers == 1);
    CHECK(o.failure == call_failure::not_sent);
    calls.set_ready(1, true);
    h.turn();
    CHECK(o.answers == 1);
    CHECK(h.redis.count_of("EVALSHA") == 0);
    calls.close();
}

TEST_CASE("channel_calls: a call that was written when its link is lost has an unknown outcome, once") {
    session_harness h;
    channel_calls calls(*h.core);
    calls.set_ready(1, true);
    h.redis.scripted["EVALSHA"] = ":7\r\n";
    h.answers = false;
    outcome o;
    calls.run(some_call(), o.sink());
    h.turn();
    h.lose_links();
    CHECK(o.answers == 1);
    CHECK(o.failure == call_failure::unknown);
    h.answers = true;
    h.pass_slowly(milliseconds(2'000));
    calls.on_time(h.core->now() + std::chrono::seconds(60));
    CHECK(o.answers == 1);
    calls.close();
}

TEST_CASE("channel_calls: a Redis that does not answer is not waited for longer than the hold") {
    session_harness h;
    channel_calls calls(*h.core);
    calls.set_ready(1, true);
    h.answers = false;
    outcome o;
    calls.run(some_call(), o.sink());
    h.turn();
    calls.on_time(h.core->now() + h.core->settings().settings.hold);
    CHECK(o.answers == 1);
    CHECK(o.failure == call_failure::unknown);
    calls.close();
}
