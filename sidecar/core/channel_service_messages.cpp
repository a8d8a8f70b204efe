// Messages to one channel, and their receivers.
#include <algorithm>

#include "sidecar/core/channel_service.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

namespace {

constexpr std::size_t reply_bytes_max = 4U << 20;  // of one CH.RECV, but for its first message
constexpr std::int64_t id_kept_ms = 300'000;

std::string_view error_of(store_result result) {
    switch (result) {
        case store_result::full:
            return "CHANNELFULL the channel has as many unread messages as it may have";
        case store_result::gone:
        case store_result::unavailable:
            return "UNAVAILABLE Redis could not be asked";
        default:
            return "UNKNOWN Redis did not answer: the message may have been sent or not";
    }
}

}  // namespace

void channel_service::send(const channel_caller& who, const shared_agreement& by,
                           const channels::native::send& what) {
    letter made;
    made.layer = by->layer;
    made.channel = what.channel;
    made.body = std::make_shared<const std::string>(what.body);
    made.capacity = what.capacity ? *what.capacity : by->capacity_of(what.channel);
    made.expiry_ms = what.expiry.value_or(by->terms.expiry).count();
    made.id = what.id;
    const int owner = channels::is_normal(what.channel)
                          ? shard_.index
                          : shard_of(by->layer, channels::process_of(what.channel));
    to_shard(owner, [who, made = std::move(made)](channel_service& there) { there.send_at_home(who, made); });
}

void channel_service::send_at_home(const channel_caller& who, const letter& what) {
    const auto answer_result = [this, who](store_result result) {
        if (result == store_result::ok || result == store_result::duplicate)
            return answer_number(who, result == store_result::ok ? 1 : 0);
        if (result == store_result::full) ++shard_.stats.count.channel_messages_refused;
        answer_error(who, error_of(result));
    };
    home* at = channels::is_normal(what.channel) ? nullptr
                                                 : find_home(what.layer, channels::process_of(what.channel));
    if (at == nullptr)
        return shard_.layer_store->send(what.layer, what.channel, what.body, what.capacity, what.expiry_ms,
                                        what.id, answer_result);
    if (!what.id.empty()) {
        if (at->in_hub->queue.in_use() >= what.capacity) return answer_result(store_result::full);
        auto seen_first = what;
        seen_first.id.clear();
        return shard_.layer_store->once(
            what.layer, what.id, id_kept_ms,
            [this, who, seen_first = std::move(seen_first), answer_result](store_result seen) {
                if (seen != store_result::ok) return answer_result(seen);
                send_at_home(who, seen_first);
            });
    }
    ++shard_.stats.count.channel_messages;
    const auto result =
        hub_.send(*at->in_hub, channels::direct_envelope(what.channel, *what.body),
                  shard_.now() + std::chrono::milliseconds(what.expiry_ms), shard_.now(), what.capacity);
    answer_result(result == channels::push_result::queued ? store_result::ok : store_result::full);
}

// --- receivers of a process

void channel_service::receive(const channel_caller& who, const shared_agreement& by,
                              const channels::native::receive& what) {
    if (what.from != by->process) return receive_normal(who, by, what);
    auto wish = what;
    wish.from = {};
    to_shard(by->owner, [=](channel_service& there) { there.receive_at_home(who, by, wish); });
}

bool channel_service::acknowledge_at_home(home& which, std::optional<std::uint64_t> seq,
                                          std::optional<std::uint64_t> held) {
    if (seq && !which.in_hub->queue.acknowledge(*seq)) return false;
    if (held) which.in_hub->queue.set_held(*held);
    return true;
}

void channel_service::receive_at_home(const channel_caller& who, const shared_agreement& by,
                                      const channels::native::receive& what) {
    home* at = find_home(by->layer, by->process);
    if (at == nullptr) return answer_error(who, "NOHELLO the process is not at home here: say CH.HELLO");
    if (!acknowledge_at_home(*at, what.ack, what.held))
        return answer_error(who, "ERR ACK of a message that was never given");
    // Whoever else was given something without acknowledging it may be gone without our knowing yet.
    const connection from{who.shard, who.session};
    if (at->last_reader != from) {
        at->last_reader = from;
        at->in_hub->queue.give_again();
    }
    const auto wait = draining_ ? std::chrono::milliseconds(0) : what.block;
    at->readers.push_back({who, what.count, shard_.now() + wait});
    if (at->claim == claim_step::done && at->in_hub->queue.has_ungiven(shard_.now())) {
        hub_.mark_ready(*at->in_hub);
    } else if (wait.count() == 0) {
        at->readers.pop_back();
        answer_nothing(who);
    }
}

void channel_service::serve_readers(home& which) {
    if (which.claim != claim_step::done) return;
    while (!which.readers.empty() && which.in_hub->queue.has_ungiven(shard_.now())) {
        const reader next = which.readers.front();
        which.readers.pop_front();
        give(which, next);
    }
}

void channel_service::give(home& which, const reader& to) {
    const bool here = to.who.shard == shard_.index;
    auto& there = batches_[static_cast<std::size_t>(to.who.shard)];
    auto& messages = here ? scratch_ : there.messages;
    const std::size_t first = messages.size();
    const std::size_t count = which.in_hub->queue.give(
        to.count, reply_bytes_max, shard_.now(),
        [&](const channels::message_queue::entry& each) { messages.push_back(each); });
    ++shard_.stats.count.channel_replies;
    shard_.stats.count.channel_messages_given += count;
    if (!here) {
        there.slices.push_back({to.who, first, count});
        return;
    }
    if (session* s = shard_.find_session(to.who.session))
        s->on_channel_messages(to.who, channel_messages(messages).subspan(first, count));
    scratch_.clear();
}

void channel_service::acknowledge(const channel_caller& who, const shared_agreement& by,
                                  const channels::native::acknowledge& what) {
    if (what.process != by->process)
        return answer_error(who, "ERR another process than that of this connection's CH.HELLO");
    to_shard(by->owner, [who, by, seq = what.seq, held = what.held](channel_service& there) {
        home* at = there.find_home(by->layer, by->process);
        if (at == nullptr)
            return there.answer_error(who, "NOHELLO the process is not at home here: say CH.HELLO");
        if (!there.acknowledge_at_home(*at, seq, held))
            return there.answer_error(who, "ERR ACK of a message that was never given");
        there.answer_number(who, 1);
    });
}

// --- receivers of a normal channel

void channel_service::receive_normal(const channel_caller& who, const shared_agreement& by,
                                     const channels::native::receive& what) {
    auto made = std::make_shared<normal_reader>();
    made->who = who;
    made->layer = by->layer;
    made->channel = what.from;
    made->count = what.count;
    made->until = shard_.now() + (draining_ ? std::chrono::milliseconds(0) : what.block);
    normal_readers_.push_back(made);
    ask_normal(made);
}

void channel_service::ask_normal(const std::shared_ptr<normal_reader>& who) {
    who->asking = true;
    who->woken = false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(who->until - shard_.now());
    shard_.layer_store->receive(who->layer, who->channel, who->count, std::max<std::int64_t>(0, left.count()),
                                [this, who](const receive_answer& got) { on_normal_answer(who, got); });
}

void channel_service::on_normal_answer(const std::shared_ptr<normal_reader>& who, const receive_answer& got) {
    who->asking = false;
    session* s = shard_.find_session(who->who.session);
    const bool gone = s == nullptr || s->life() == session_life::closed;
    const bool waits = !gone && !draining_ && who->until > shard_.now();
    if (got.messages.empty() && got.ok && waits) {
        if (who->woken) ask_normal(who);
        return;
    }
    std::erase(normal_readers_, who);
    if (!got.ok) return answer_error(who->who, "UNAVAILABLE Redis could not be asked");
    if (got.messages.empty()) return answer_nothing(who->who);
    if (gone || who->who.shows == answer_kind::silent)
        shard_.layer_store->put_back(who->layer, who->channel, got.messages);
    if (s == nullptr) return;
    std::vector<channels::message_queue::entry> messages;
    for (const auto& each : got.messages) messages.push_back({0, channels::envelope_of(each), {}});
    s->on_normal_messages(who->who, messages, who->layer, who->channel, got.messages);
}

void channel_service::on_wake(const channels::layer_ref& layer, std::string_view channel) {
    for (const auto& each : std::vector(normal_readers_)) {
        if (each->layer != layer || each->channel != channel) continue;
        if (each->asking) {
            each->woken = true;
        } else {
            ask_normal(each);
        }
    }
}

void channel_service::forget_normal_readers(std::uint64_t session) {
    for (const auto& each : std::vector(normal_readers_)) {
        if (each->who.session != session || each->asking) continue;
        std::erase(normal_readers_, each);
        answer_nothing(each->who);
    }
}

}  // namespace sidecar
