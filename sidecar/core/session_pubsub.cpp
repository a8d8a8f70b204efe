// Subscriptions: one upstream subscription per name and shard, however many clients listen.
#include <algorithm>

#include "channels/name_ownership.hpp"
#include "resp/glob.hpp"
#include "resp/number.hpp"
#include "resp/reply_scanner.hpp"
#include "resp/value.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"

namespace sidecar {

using channels::name_kind;

namespace {

constexpr std::size_t names_per_client_max = 200'000;
constexpr std::size_t pubsub_check_bytes_min = 1U << 20;

constexpr std::string_view subscribe_verbs[] = {"subscribe", "psubscribe", "ssubscribe"};
constexpr std::string_view unsubscribe_verbs[] = {"unsubscribe", "punsubscribe", "sunsubscribe"};

channels::subscriber* as_subscriber(session* s) {
    return reinterpret_cast<channels::subscriber*>(s);
}

}  // namespace

std::size_t session::subscription_count() const {
    if (!subs_) return 0;
    return subs_->names[0].size() + subs_->names[1].size() + subs_->names[2].size();
}

bool session::listens_to(name_kind kind, std::string_view channel) const {
    if (!subs_) return false;
    const auto& exact = subs_->names[static_cast<int>(kind)];
    if (exact.contains(channel)) return true;
    if (kind != name_kind::channel) return false;
    const auto& patterns = subs_->names[static_cast<int>(name_kind::pattern)];
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& p) { return resp::glob_match(p, channel); });
}

session::step session::subscribe(const command& c, name_kind kind) {
    if (entries_ > 0) return wait_for(stall::drain);
    if (ended_) return end_instead();
    auto& up = shard_.upstream_of(database_);
    if (!subs_) subs_ = std::make_unique<subscriptions>();
    // All of a client's subscriptions live on one instance: that of the db it was on at the first.
    if (subscription_count() == 0) subs_->upstream = up.index;
    if (subscription_count() + subs_->joining.size() + c.args.size() > names_per_client_max) {
        reply_error("ERR too many subscriptions of one client for the sidecar");
        return step::consumed;
    }
    ++shard_.stats.of(database_, c.spec->index).calls;
    subs_->verb = subscribe_verbs[static_cast<int>(kind)];
    for (const auto name : c.args.subspan(1)) {
        subs_->joining.emplace_back(kind, name);
        shard_.want(subs_->upstream, kind, name);
    }
    continue_subscribe();
    return step::consumed;
}

// Confirms names in order, as far as upstream has.
void session::continue_subscribe() {
    auto& table = shard_.upstreams()[static_cast<std::size_t>(subs_->upstream)]->subscriptions;
    while (!subs_->joining.empty()) {
        const auto [kind, name] = subs_->joining.front();
        if (!table.ready(kind, name)) {
            table.wait(kind, name, as_subscriber(this));
            stall_ = stall::subscribe;
            return;
        }
        subs_->joining.pop_front();
        auto& mine = subs_->names[static_cast<int>(kind)];
        if (mine.insert(name).second) {
            table.join(kind, name, as_subscriber(this));
            shard_.process.registry.add_client(subs_->upstream, kind, name, 1);
        } else {
            shard_.leave(subs_->upstream, kind, name, nullptr);  // had it already
        }
        confirm(subscribe_verbs[static_cast<int>(kind)], kind, name);
    }
    if (stall_ == stall::subscribe) wake(stall::subscribe);
}

void session::on_subscription_ready() {
    if (life_ == session_life::open && subs_) continue_subscribe();
}

void session::confirm(std::string_view verb, name_kind kind, std::optional<std::string_view> name) {
    std::string out;
    if (protocol_ == 3) {
        resp::append_push_header(out, 3);
    } else {
        resp::append_array_header(out, 3);
    }
    resp::append_bulk(out, verb);
    if (name) {
        resp::append_bulk(out, *name);
    } else {
        resp::append_null(out, protocol_);
    }
    const bool sharded = kind == name_kind::shard_channel;
    std::size_t count = 0;
    if (subs_) count = sharded ? subs_->names[2].size() : subs_->names[0].size() + subs_->names[1].size();
    resp::append_integer(out, static_cast<std::int64_t>(count));
    append_output(out);  // as messages, whatever CLIENT REPLY says
}

session::step session::unsubscribe(const command& c, name_kind kind) {
    if (entries_ > 0) return wait_for(stall::drain);
    ++shard_.stats.of(database_, c.spec->index).calls;
    const std::string_view verb = unsubscribe_verbs[static_cast<int>(kind)];
    const auto drop = [&](std::string_view name) {
        if (!subs_) return;
        auto& mine = subs_->names[static_cast<int>(kind)];
        const auto it = mine.find(name);
        if (it == mine.end()) return;
        const std::string owned(name);
        mine.erase(it);
        shard_.process.registry.add_client(subs_->upstream, kind, owned, -1);
        shard_.leave(subs_->upstream, kind, owned, this);
    };
    if (c.args.size() > 1) {
        for (const auto name : c.args.subspan(1)) {
            drop(name);
            confirm(verb, kind, name);
        }
        return step::consumed;
    }
    const auto all = subs_ ? subs_->names[static_cast<int>(kind)] : name_set{};
    for (const auto& name : all) {
        drop(name);
        confirm(verb, kind, name);
    }
    if (all.empty()) confirm(verb, kind, std::nullopt);
    return step::consumed;
}

void session::unsubscribe_all() {
    if (!subs_) return;
    for (int kind = 0; kind < channels::name_kinds; ++kind)
        for (const auto& name : subs_->names[kind]) {
            shard_.process.registry.add_client(subs_->upstream, static_cast<name_kind>(kind), name, -1);
            shard_.leave(subs_->upstream, static_cast<name_kind>(kind), name, this);
        }
    for (const auto& [kind, name] : subs_->joining) shard_.leave(subs_->upstream, kind, name, this);
    subs_.reset();
}

// What is small and comes behind other output, or for one listener alone, is copied: a piece of its own would
// cost more than its bytes.
void session::on_messages(message_run& run, fan_out width) {
    constexpr std::size_t always_shared_bytes_min = 1'024;
    if (life_ != session_life::open && life_ != session_life::draining) return;
    shard_.stats.count.messages_delivered += run.count();
    if (mid_reply_ || publishing_ > 0) {
        push(run.text(protocol_));
    } else if ((width == fan_out::many && output_.empty()) || run.bytes() >= always_shared_bytes_min) {
        output_.append_shared(run.shared(protocol_));
        if (!dirty) shard_.mark_dirty(*this);
    } else {
        append_output(run.text(protocol_));
    }
    // Closing here would change the list this is called from.
    if (output_.size() > pubsub_check_bytes_min) shard_.check_later(*this);
}

session::step session::publish(const command& c, name_kind kind) {
    auto& up = shard_.upstream_of(database_);
    if (shard_.process.registry.must_wait(up.index, kind, c.args[1], shard_.index)) {
        return wait_for_subscription();
    }
    if (!shard_.process.registry.any_subscribed()) return forward(c);
    const std::string channel(c.args[1]);
    // A client that listens to what it publishes sees message and reply in the order Redis has for one
    // connection: so both travel over the connection that carries the subscription.
    const bool own =
        lease_ == nullptr && listens_to(kind, channel) && up.index == subs_->upstream && up.listener->ready();
    if (own && !up.pending.empty() &&
        shard_.process.registry.must_wait_for_any(up.index, shard_.index, fence_ticket_))
        return wait_for_subscription();
    if (own && up.pending.empty()) {
        if (entries_ > 0 && link_ != up.listener) return wait_for(stall::drain);
        link_ = up.listener;
        served_by_user_ = nullptr;  // the next command chooses again, once this is answered
        const std::uint32_t number = submit(*up.listener, c, reply_use::publish);
        extras_[number].text = channel;
        extras_[number].kind = kind;
        return step::consumed;
    }
    link* target = lease_ != nullptr ? lease_ : main_link();
    if (target == nullptr) return wait_for(stall::drain);
    if (lease_ != nullptr && lease_ends_) return forward(c);
    if (!target->ready() && shard_.hold_of(*target) != hold_state::open) return forward(c);
    const std::uint32_t number = submit(*target, c, reply_use::publish);
    extras_[number].text = channel;
    extras_[number].kind = kind;
    return step::consumed;
}

session::step session::script_fence(const command& c) {
    auto& up = shard_.upstream_of(database_);
    if (shard_.process.registry.must_wait_for_any(up.index, shard_.index, fence_ticket_)) {
        return wait_for_subscription();
    }
    return forward(c);
}

session::step session::wait_for_subscription() {
    ++shard_.stats.count.publish_fences;
    if (waiting_for_ != stall::publish) waiting_since_ = shard_.now();
    waiting_for_ = stall::publish;
    shard_.wait_for_subscription(*this);
    return wait_for(stall::publish);
}

void session::on_publish_fence_over() {
    wake(stall::publish);
}

session::step session::pubsub_query(const command& c) {
    const std::string_view sub = c.sub != nullptr ? c.sub->name : std::string_view{};
    // What is counted or listed upstream must not hold a name that is just being given up.
    if (sub != "pubsub|numsub" && sub != "pubsub|shardnumsub") return script_fence(c);
    const auto kind = sub == "pubsub|numsub" ? name_kind::channel : name_kind::shard_channel;
    const int at = shard_.upstream_of(database_).index;
    for (const auto name : c.args.subspan(2))
        if (shard_.process.registry.must_wait(at, kind, name, shard_.index)) return wait_for_subscription();
    if (lease_ != nullptr && lease_ends_) return forward(c);
    link* target = lease_ != nullptr ? lease_ : main_link();
    if (target == nullptr) return wait_for(stall::drain);
    if (!target->ready() && shard_.hold_of(*target) != hold_state::open) return forward(c);
    const std::uint32_t number = submit(*target, c, reply_use::numsub);
    auto& more = extras_[number];
    more.text = sub == "pubsub|shardnumsub" ? "s" : "";
    more.names.assign(c.args.begin() + 2, c.args.end());
    return step::consumed;
}

std::string session::correct_numsub(const std::vector<std::string>& names, bool sharded,
                                    std::string_view reply) const {
    const auto value = resp::parse_value(reply);
    if (!value || !value->is_aggregate() || value->items.size() != names.size() * 2)
        return std::string(reply);
    const auto kind = sharded ? name_kind::shard_channel : name_kind::channel;
    const int at = shard_.upstream_of(database_).index;
    std::string out;
    if (value->type == resp::kind::map) {
        resp::append_map_header(out, names.size(), 3);
    } else {
        resp::append_array_header(out, value->items.size());
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        resp::append_bulk(out, names[i]);
        resp::append_integer(
            out, shard_.process.registry.subscribers(at, kind, names[i], value->items[2 * i + 1].integer));
    }
    return out;
}

session::step session::ping_subscribed(const command& c) {
    if (c.argument_count > 2) return wrong_arity(c);
    std::string out;
    resp::append_array_header(out, 2);
    resp::append_bulk(out, "pong");
    resp::append_bulk(out, c.args.size() > 1 ? c.args[1] : std::string_view{});
    reply(out);
    return step::consumed;
}

}  // namespace sidecar
