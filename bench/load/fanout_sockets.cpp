#include "bench/load/fanout_sockets.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "bench/load/fanout_processes.hpp"
#include "bench/load/mix.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {
constexpr std::chrono::milliseconds look_round{10};
constexpr std::chrono::seconds answer_patience{20};
constexpr std::int64_t head_start_ns = 20'000'000;
}  // namespace

std::int64_t monotonic_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

socket_target::step::step(const step_plan& asked, publisher_range from,
                          const std::vector<std::uint32_t>& by_log)
    : plan(asked),
      publishers(from),
      times(asked),
      board(from, std::accumulate(by_log.begin(), by_log.end(), 0UL)),
      logs(by_log.size(), receiver_log(from)),
      members(by_log),
      sent(from.count),
      receivers(std::accumulate(by_log.begin(), by_log.end(), 0UL)),
      begin_ns(monotonic_ns() + head_start_ns),
      latest_ns(begin_ns) {}

step_result socket_target::run(const step_plan& plan) {
    step now(plan, {plan.number * plan.publishers, plan.publishers}, members_by_log());
    step_ = &now;
    const std::uint64_t cpu = process_cpu_ns(::getpid());
    const auto read = [&](std::size_t wire, std::string_view bytes) {
        if (wire == publisher_) return read_publisher(bytes);
        read_at_ns_ = monotonic_ns();
        return on_bytes(wire, bytes);
    };
    for (;;) {
        publish_due(now);
        const std::int64_t at = monotonic_ns();
        const std::chrono::nanoseconds elapsed(at - now.begin_ns);
        const bool sent_all = now.times.over(elapsed);
        const std::uint64_t owed = now.times.batches() * plan.burst * now.receivers;
        if (sent_all && now.board.deliveries() >= owed) break;
        if (at - std::max(now.latest_ns, now.begin_ns) > plan.patience.count() &&
            (sent_all || plan.how == pacing::saturated))
            break;
        std::chrono::nanoseconds wait = look_round;
        if (!sent_all && plan.how == pacing::open) wait = std::min(wait, now.times.next(elapsed) - elapsed);
        wires_.turn(std::max(wait, std::chrono::nanoseconds(0)), read);
    }
    now.result.load_cpu_ns = process_cpu_ns(::getpid()) - cpu;
    finish(now);
    step_ = nullptr;
    return std::move(now.result);
}

void socket_target::publish_due(step& now) {
    const std::chrono::nanoseconds elapsed(monotonic_ns() - now.begin_ns);
    if (elapsed.count() < 0) return;
    while (now.times.due(elapsed, now.board.complete() / now.plan.burst)) {
        const std::int64_t due = now.begin_ns + now.times.next(elapsed).count();
        publish_batch(now, due);
        now.times.take();
    }
}

void socket_target::publish_batch(step& now, std::int64_t due_ns) {
    batch_.clear();
    for (std::uint32_t i = 0; i < now.plan.burst; ++i) {
        const auto index = static_cast<std::uint32_t>(now.result.sent++ % now.publishers.count);
        const stamp says{static_cast<std::uint64_t>(due_ns), now.publishers.first + index, now.sent[index]++};
        append_publish(batch_, stamped_payload(says, now.plan.payload));
    }
    now.result.lateness.add(std::chrono::nanoseconds(monotonic_ns() - due_ns), now.plan.burst);
    wires_.send(publisher_, batch_);
}

void socket_target::arrived(std::size_t log, std::string_view payload) {
    const auto says = read_stamp(payload);
    if (step_ == nullptr || !says) return;
    if (!step_->logs[log].note(says->publisher, says->seq)) return;
    const std::chrono::nanoseconds latency(read_at_ns_ - static_cast<std::int64_t>(says->due_ns));
    step_->result.latency.add(latency, step_->members[log]);
    step_->board.note(*says, step_->members[log], latency);
    step_->latest_ns = read_at_ns_;
}

void socket_target::finish(step& done) {
    step_result& r = done.result;
    r.delivered = done.board.deliveries();
    r.expected = r.sent * done.receivers;
    r.seconds = static_cast<double>(std::max<std::int64_t>(done.latest_ns - done.begin_ns, 1)) / 1e9;
    r.last = done.board.last();
    for (std::size_t i = 0; i < done.logs.size(); ++i) {
        const delivery_faults one = done.logs[i].faults(done.sent);
        for (std::uint32_t member = 0; member < done.members[i]; ++member) r.faults += one;
    }
}

std::size_t socket_target::read_publisher(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size()) {
        const bool begins = !answers_.inside_reply();
        const auto found = answers_.scan(bytes.substr(used));
        if (found.status == resp::reply_status::error) fail("the publisher got a reply that is no RESP");
        if (begins && bytes[used] == '-') fail("publishing: " + std::string(bytes.substr(used, found.bytes)));
        used += found.bytes;
    }
    return used;
}

std::size_t socket_target::open_wire() {
    const std::size_t wire = wires_.connect(settings_.host, settings_.port);
    std::string greeting;
    std::size_t replies = 0;
    if (!settings_.password.empty()) {
        greeting += resp::command({"AUTH", settings_.password});
        ++replies;
    }
    greeting += resp::command({"SELECT", std::to_string(settings_.database)});
    (void)ask(wire, greeting, replies + 1);
    return wire;
}

std::string socket_target::ask(std::size_t wire, std::string_view commands, std::size_t replies) {
    std::string all;
    resp::reply_scanner scanner;
    const auto read = [&](std::size_t from, std::string_view bytes) {
        std::size_t used = 0;
        while (from == wire && used < bytes.size() && replies > 0) {
            const auto found = scanner.scan(bytes.substr(used));
            if (found.status == resp::reply_status::error) fail("a reply that is no RESP");
            all.append(bytes.substr(used, found.bytes));
            used += found.bytes;
            if (found.status != resp::reply_status::complete) break;
            if (scanner.type() == '-') fail("the server says " + all);
            --replies;
        }
        return from == wire ? used : bytes.size();
    };
    wires_.send(wire, commands);
    const std::int64_t end = monotonic_ns() + std::chrono::nanoseconds(answer_patience).count();
    while (replies > 0) {
        if (monotonic_ns() > end) fail("no answer to " + std::string(commands.substr(0, 60)));
        wires_.turn(look_round, read);
    }
    return all;
}

}  // namespace bench
