#include "sidecar/core/channel_calls.hpp"

#include <utility>

#include "sidecar/core/shard_core.hpp"

namespace sidecar {

namespace {

constexpr std::size_t pending_max = 50'000;
constexpr std::size_t pending_bytes_max = 128U << 20U;

}  // namespace

// One command on the link. Outlives the channel_calls only while its link does, which the shard ends first.
class channel_calls::asked final : public reply_owner {
public:
    asked(channel_calls& calls, std::uint64_t number, std::shared_ptr<const channels::native_call> call,
          bool with_text)
        : calls_(calls), number_(number), call_(std::move(call)), with_text_(with_text) {}

    void on_reply(const upstream_entry&, std::string_view bytes, bool complete) override {
        reply_.append(bytes);
        if (!complete) return;
        const std::unique_ptr<asked> gone(this);
        if (!call_) return;
        if (!with_text_ && reply_.starts_with("-NOSCRIPT")) return calls_.submit(number_, call_, true);
        const auto value = resp::parse_value(reply_);
        const bool failed = !value || value->type == resp::kind::error;
        calls_.finish(number_, failed ? call_failure::not_sent : call_failure::none,
                      value ? *value : resp::value{});
    }
    loss_verdict on_link_lost(const upstream_entry&, bool sent) override {
        if (!sent && wants_still()) return loss_verdict::resend;
        end(call_failure::unknown);
        return loss_verdict::drop;
    }
    void on_never_sent(const upstream_entry&) override { end(call_failure::not_sent); }
    [[nodiscard]] bool wants_still() const override { return !call_ || calls_.pending_.contains(number_); }

private:
    // From here nothing may be submitted, so the answer goes through the shard's mailbox.
    void end(call_failure failure) {
        const std::unique_ptr<asked> gone(this);
        if (!call_ || calls_.closed_) return;
        calls_.shard_.process.post(calls_.shard_.index,
                                   [calls = &calls_, number = number_, failure](shard_core&) {
                                       calls->finish(number, failure, {});
                                   });
    }
    channel_calls& calls_;
    std::uint64_t number_;
    std::shared_ptr<const channels::native_call> call_;  // null: nobody waits for the reply
    std::string reply_;
    bool with_text_;
};

std::uint64_t channel_calls::keep(answer done, std::size_t bytes) {
    const auto hold = shard_.settings().settings.hold;
    pending_bytes_ += bytes;
    pending_.emplace(++last_number_, pending{std::move(done), shard_.now() + hold, bytes, false});
    return last_number_;
}

void channel_calls::run(channels::native_call call, answer done) {
    const int database = call.layer.database;
    const bool room = pending_.size() < pending_max && pending_bytes_ < pending_bytes_max;
    const std::uint64_t number = keep(std::move(done), call.bytes());
    if (!room) return refuse_later(number);
    if (!ready(database)) {
        waiting_[database].push_back({number, std::move(call)});
        return;
    }
    submit(number, std::make_shared<const channels::native_call>(std::move(call)), false);
}

void channel_calls::run_now(channels::native_call call, answer done) {
    const std::uint64_t number = keep(std::move(done), call.bytes());
    submit(number, std::make_shared<const channels::native_call>(std::move(call)), false);
}

void channel_calls::submit(std::uint64_t number, std::shared_ptr<const channels::native_call> call,
                           bool with_text) {
    const auto it = pending_.find(number);
    if (it == pending_.end()) return;
    const int database = call->layer.database;
    link& over = shard_.shared_link(shard_.key_for(database, 2, link_role::full, link_lane::main));
    if (!over.ready() && shard_.hold_of(over) != hold_state::open) return refuse_later(number);
    it->second.sent = true;
    const std::string bytes = with_text ? call->with_text() : call->by_sha1();
    upstream_entry entry;
    entry.owner = new asked(*this, number, std::move(call), with_text);
    entry.use = reply_use::internal;
    entry.database = static_cast<std::uint8_t>(database);
    entry.submitted_us = shard_.now_us();
    over.submit(entry, bytes);
}

void channel_calls::tell(int database, const std::string& command_bytes) {
    link& over = shard_.shared_link(shard_.key_for(database, 2, link_role::full, link_lane::main));
    if (!over.ready() && shard_.hold_of(over) != hold_state::open) return;
    upstream_entry entry;
    entry.owner = new asked(*this, 0, nullptr, true);
    entry.use = reply_use::internal;
    entry.database = static_cast<std::uint8_t>(database);
    entry.submitted_us = shard_.now_us();
    over.submit(entry, command_bytes);
}

void channel_calls::refuse_later(std::uint64_t number) {
    shard_.process.post(shard_.index,
                        [this, number](shard_core&) { finish(number, call_failure::not_sent, {}); });
}

void channel_calls::finish(std::uint64_t number, call_failure failure, const resp::value& reply) {
    const auto it = pending_.find(number);
    if (it == pending_.end()) return;
    const answer done = std::move(it->second.done);
    pending_bytes_ -= it->second.bytes;
    pending_.erase(it);
    if (failure != call_failure::none) ++shard_.stats.count.channel_calls_failed;
    if (done) done(failure, reply);
}

void channel_calls::set_ready(int database, bool is_ready) {
    if (!is_ready) {
        ready_.erase(database);
        return;
    }
    ready_.insert(database);
    auto calls = std::exchange(waiting_[database], {});
    for (auto& w : calls)
        submit(w.number, std::make_shared<const channels::native_call>(std::move(w.call)), false);
}

void channel_calls::on_time(time_point now) {
    while (!pending_.empty() && pending_.begin()->second.deadline <= now) {
        const auto& [number, first] = *pending_.begin();
        finish(number, first.sent ? call_failure::unknown : call_failure::not_sent, {});
    }
    for (auto& [database, calls] : waiting_)
        while (!calls.empty() && !pending_.contains(calls.front().number)) calls.pop_front();
}

}  // namespace sidecar
