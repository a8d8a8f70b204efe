// What a shard makes of its links' events: health, holds, subscriptions, counters.
#include <algorithm>

#include "channels/name_ownership.hpp"
#include "channels/native_scripts.hpp"
#include "resp/reply_scanner.hpp"
#include "resp/value.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/channel_store.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

using channels::name_kind;

namespace {

constexpr std::chrono::seconds ping_interval{1};
constexpr std::chrono::seconds ping_time_max{5};
constexpr std::chrono::milliseconds sweep_interval{100};
constexpr std::chrono::milliseconds replay_delay{100};
constexpr std::chrono::milliseconds lease_pause{500};  // after an attempt to connect failed
constexpr std::chrono::milliseconds refused_again_delay{200};

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

channels::subscriber* as_subscriber(session* s) {
    return reinterpret_cast<channels::subscriber*>(s);
}
session* as_session(channels::subscriber* s) {
    return reinterpret_cast<session*>(s);
}

std::optional<name_kind> kind_of(std::string_view verb) {
    if (verb == "subscribe" || verb == "unsubscribe" || verb == "message") return name_kind::channel;
    if (verb == "psubscribe" || verb == "punsubscribe" || verb == "pmessage") return name_kind::pattern;
    if (verb == "ssubscribe" || verb == "sunsubscribe" || verb == "smessage") return name_kind::shard_channel;
    return std::nullopt;
}

// The bulk at the front of `bytes`, which is then shortened by it.
std::string_view take_bulk(std::string_view& bytes) {
    const std::size_t end = bytes.find("\r\n");
    if (bytes.empty() || bytes.front() != '$' || end == std::string_view::npos) return {};
    std::size_t length = 0;
    for (const char c : bytes.substr(1, end - 1)) length = length * 10 + static_cast<std::size_t>(c - '0');
    const auto body = bytes.substr(end + 2, length);
    bytes.remove_prefix(std::min(bytes.size(), end + 2 + length + 2));
    return body;
}

}  // namespace

void shard_core::on_link_dirty(link& which) {
    if (which.dirty) return;
    which.dirty = true;
    dirty_links.push_back(&which);
}

void shard_core::on_link_ready(link& which) {
    ++stats.count.links_opened;
    which.down_since.reset();
    auto& u = *upstreams_[which.key().upstream];
    if (!which.confined() && which.key().role != link_role::full) {
        ++stats.count.unconfined_links;
        log('w', "upstream forbids ACL SETUSER: scripts are not confined to their db",
            {{"upstream", masked(u.url)}, {"db", std::to_string(which.key().database)}});
    }
    u.refused = false;
    if (which.key().lane == link_lane::control) {
        if (u.down_since) log('i', "upstream is back", {{"upstream", masked(u.url)}});
        u.down_since.reset();
        u.cause.clear();
        u.ping_outstanding = false;
        u.busy.clear();
        leases.end_pause();
        if (!which.server_version().empty()) u.version = which.server_version();
        learn_commands(u);
        open_main_links(u);
        for (auto& l : links_)
            if (l->key().upstream == u.index && l->down_since) {
                l->down_since.reset();
                l->retry_soon();
            }
    }
    if (which.key().lane == link_lane::subscription) {
        u.subscriptions.replay();
        await_replay(u);
        if (u.subscriptions.size() > 0 && which.losses() > 0) ++stats.count.subscription_gaps;
        layer_store->bus.on_listener_ready(u.index);
    }
}

void shard_core::on_link_down(link& which, link_fall how, std::string_view cause, handshake_state why) {
    auto& u = *upstreams_[which.key().upstream];
    if (how == link_fall::lost) ++stats.count.links_lost;
    if (how == link_fall::lost) u.scripts_loaded = 0;
    if (how == link_fall::lost && why == handshake_state::failed) ++stats.count.link_framing_errors;
    if (how != link_fall::closed_by_us && !which.down_since) which.down_since = now_;
    if (why == handshake_state::refused) {
        // Refused before the control connection was accepted, but told later: what holds now is asked again.
        if (u.control->ready()) which.retry_by(now_ + refused_again_delay);
        if (!u.refused)
            log('e', "upstream refused the sidecar's password",
                {{"upstream", masked(u.url)}, {"cause", std::string(cause)}});
        u.refused = true;
    }
    if (which.key().lane == link_lane::control && how != link_fall::closed_by_us) {
        if (!u.down_since) {
            u.down_since = now_;
            log('w', "upstream is away", {{"upstream", masked(u.url)}, {"cause", std::string(cause)}});
        }
        u.cause = cause;
        u.busy.clear();
        which.open_now();
    }
    // A shared link is tried until it is back, wanted or not: while its hold is over nobody may queue on it.
    if (how != link_fall::closed_by_us && which.key().lane != link_lane::lease && !which.retire_when_idle)
        which.open_now();
    if (which.key().lane == link_lane::subscription) drop_subscriptions_state(u);
    if (which.key().lane == link_lane::subscription && how == link_fall::lost) {
        std::vector<std::string> names;
        u.subscriptions.each([&](name_kind kind, const std::string& name, const auto& topic) {
            if (kind == name_kind::channel && !topic.members.empty()) names.push_back(name);
        });
        for (const auto& name : names) tell_of_outage(u, name, settings_->settings.channels_on_disconnect);
    }
    if (how == link_fall::attempt_failed && starts_with(cause, "BUSY ")) {
        u.busy = cause;
        return which.expire_held();
    }
    if (which.key().lane == link_lane::lease && how == link_fall::attempt_failed) {
        leases.pause_until(now_ + lease_pause);
        for (std::size_t i = 0; i < parked_.size(); ++i) parked_[i]->on_lease_failed(which);
        receivers.on_lease_failed(which);
    }
    if (which.key().lane == link_lane::lease && how == link_fall::lost) {
        if (which.holder != nullptr) which.holder->on_lease_down(cause);
    }
}

// Nothing is subscribed upstream any more; what is wanted is pending until replayed: a PUBLISH over another
// connection, back sooner, would reach nobody. Publishers wait no longer than the hold.
void shard_core::drop_subscriptions_state(upstream& u) {
    for (const auto& [kind, name] : u.confirmed) process.registry.add_upstream(u.index, kind, name, -1);
    u.confirmed.clear();
    u.subscriptions.on_lost();
    forget_departures(u);
    if (hold_of(*u.listener) == hold_state::open) await_replay(u);
    layer_store->bus.on_listener_lost(u.index);
    if (u.subscriptions.size() > 0) u.listener->open_now();
}

void shard_core::await_replay(upstream& u) {
    u.subscriptions.each([&](name_kind kind, const std::string& name, const auto& topic) {
        if (topic.interest > 0) begin_pending(u, kind, name);
    });
}

void shard_core::end_all_pending(upstream& u) {
    while (!u.pending.empty()) {
        const auto [kind, name] = u.pending.begin()->first;
        end_pending(u, kind, name);
    }
}

void shard_core::begin_pending(upstream& u, name_kind kind, const std::string& name) {
    if (u.pending.contains({kind, name})) return;
    u.pending.emplace(std::pair(kind, name), process.registry.begin_pending(u.index, kind, name));
}

void shard_core::end_pending(upstream& u, name_kind kind, const std::string& name) {
    const auto it = u.pending.find({kind, name});
    if (it == u.pending.end()) return;
    const auto ticket = it->second;
    u.pending.erase(it);
    for (const int shard : process.registry.end_pending(u.index, kind, name, ticket))
        process.post(shard, [](shard_core& s) { s.resume_publishers(); });
}

// Upstream may have refused an UNSUBSCRIBE as well: nobody waits for its confirmation any longer.
void shard_core::forget_departures(upstream& u) {
    std::vector<std::pair<name_kind, std::string>> gone;
    for (const auto& [key, ticket] : u.pending)
        if (u.subscriptions.find(key.first, key.second) == nullptr) gone.push_back(key);
    for (const auto& [kind, name] : gone) end_pending(u, kind, name);
}

void shard_core::want(int upstream_index, name_kind kind, std::string_view name) {
    auto& u = *upstreams_[static_cast<std::size_t>(upstream_index)];
    if (u.subscriptions.want(kind, name) != channels::subscription_table::effect::first) return;
    if (u.listener->ready()) {
        begin_pending(u, kind, std::string(name));
    } else {
        u.listener->open_now();
    }
}

void shard_core::leave(int upstream_index, name_kind kind, std::string_view name, session* member) {
    auto& u = *upstreams_[static_cast<std::size_t>(upstream_index)];
    const auto effect =
        u.subscriptions.leave(kind, name, member == nullptr ? nullptr : as_subscriber(member));
    if (effect != channels::subscription_table::effect::last) return;
    // Until upstream has done it, a PUBLISH to the name would count us as a receiver.
    if (u.listener->ready()) {
        begin_pending(u, kind, std::string(name));
    } else {
        end_pending(u, kind, std::string(name));
    }
}

void shard_core::on_link_push(link& which, std::string_view frame) {
    auto& u = *upstreams_[which.key().upstream];
    if (which.key().lane == link_lane::subscription) return on_subscription_push(u, frame);
    if (which.key().lane != link_lane::lease) return;
    if (which.holder != nullptr) which.holder->on_lease_push(frame);
}

bool shard_core::on_link_unsolicited(link& which, std::string_view bytes) {
    if (which.key().lane == link_lane::subscription && bytes.starts_with('-')) {
        // Upstream would not take a SUBSCRIBE now (-BUSY while a script runs too long): asked again a little
        // later.
        auto& u = *upstreams_[which.key().upstream];
        if (!u.replay_at)
            log('w', "upstream refused a subscription",
                {{"upstream", masked(u.url)}, {"cause", std::string(bytes.substr(0, 80))}});
        u.replay_at = now_ + replay_delay;
        return true;
    }
    if (which.key().lane != link_lane::lease) return false;
    return which.holder != nullptr && which.holder->on_lease_stream(bytes);
}

void shard_core::on_subscription_push(upstream& from, std::string_view frame) {
    if (messages_.extend(frame)) return;
    deliver_messages(from);
    std::string_view rest = frame.substr(std::min(frame.size(), frame.find("\r\n") + 2));
    const std::string_view verb = take_bulk(rest);
    const auto kind = kind_of(verb);
    if (!kind) return;
    const std::string_view topic = take_bulk(rest);
    if (*kind == name_kind::channel && starts_with(topic, channels::inbox_prefix))
        return layer_store->bus.on_push(from.index, verb, topic, take_bulk(rest));
    if (!verb.ends_with("message")) return on_subscription_change(from, *kind, verb, topic);
    const std::string_view channel = *kind == name_kind::pattern ? take_bulk(rest) : topic;
    if (channels::is_reserved(channel)) return;
    messages_.begin({*kind, topic, channel, frame.size() - rest.size()}, frame);
}

void shard_core::on_link_pushes_end(link& which) {
    if (!messages_.empty()) deliver_messages(*upstreams_[which.key().upstream]);
}

void shard_core::on_subscription_change(upstream& from, name_kind kind, std::string_view verb,
                                        std::string_view topic) {
    if (verb.find("unsubscribe") != std::string_view::npos) {
        if (from.confirmed.erase({kind, std::string(topic)}) > 0)
            process.registry.add_upstream(from.index, kind, topic, -1);
        if (from.subscriptions.find(kind, topic) == nullptr) end_pending(from, kind, std::string(topic));
        return;
    }
    if (from.confirmed.emplace(kind, topic).second) process.registry.add_upstream(from.index, kind, topic, 1);
    const auto waiters = from.subscriptions.on_confirmed(kind, topic);
    if (from.subscriptions.ready(kind, topic)) end_pending(from, kind, std::string(topic));
    // A name that has members is confirmed again after an outage only.
    const auto* t = from.subscriptions.find(kind, topic);
    if (kind == name_kind::channel && t != nullptr && !t->members.empty())
        tell_of_outage(from, topic, settings_->settings.channels_on_reconnect);
    for (auto* waiter : waiters) as_session(waiter)->on_subscription_ready();
}

// A message of the sidecar's own to a consumer of channels_redis's pub/sub layer, whose own events for this
// are never sent. Its serialisation is msgpack: a map with the one text.
void shard_core::tell_of_outage(upstream& u, std::string_view channel, const std::string& type) {
    constexpr std::string_view consumer_prefix = "asgispecific.";
    constexpr std::size_t short_text_max = 31;
    if (type.empty() || settings_->settings.channels != channels_mode::guard) return;
    if (!starts_with(channel, consumer_prefix)) return;
    std::string message("\x81\xa4type");
    if (type.size() > short_text_max) message += '\xd9';
    message += static_cast<char>(type.size() > short_text_max ? type.size() : 0xa0 + type.size());
    message += type;
    std::string frame;
    resp::append_push_header(frame, 3);
    resp::append_bulk(frame, "message");
    resp::append_bulk(frame, channel);
    resp::append_bulk(frame, message);
    ++stats.count.channels_outage_events;
    on_subscription_push(u, frame);
    deliver_messages(u);
}

void shard_core::deliver_messages(upstream& from) {
    if (messages_.empty()) return;
    const auto& names = messages_.of();
    if (auto* t = from.subscriptions.find(names.kind, names.topic)) {
        const bool split = settings_->rules.mode() == policy_mode::strict;
        const auto owner = channels::owner_of(names.channel);
        const fan_out width = t->members.size() > 1 ? fan_out::many : fan_out::one;
        for (channels::subscriber* member : t->members) {
            session* s = as_session(member);
            const bool foreign =
                owner && ((split && *owner != s->database()) ||
                          ((s->who().database_mask >> static_cast<unsigned>(*owner)) & 1U) == 0);
            if (foreign) {
                stats.count.messages_filtered += messages_.count();
            } else {
                s->on_messages(messages_, width);
            }
        }
    }
    messages_.clear();
}

void shard_core::on_link_answer(link& which, const upstream_entry& entry, std::string_view first_bytes) {
    if (entry.use == reply_use::internal) return;
    auto& c = stats.of(entry.database, entry.command);
    const bool error = !first_bytes.empty() && first_bytes.front() == '-' && entry.use != reply_use::poison;
    if (entry.note != 0) {
        tap.answered(entry.note, entry.database, first_bytes);
        if (settings_->settings.broker.reserve) nudge_pollers(entry.database);
    }
    if (error) {
        ++c.errors;
        if (starts_with(first_bytes, "-READONLY"))
            which.retire_when_idle = which.key().lane == link_lane::main;
        if (first_bytes.find("executing the script") != std::string_view::npos ||
            starts_with(first_bytes, "-NOPERM"))
            stats.refused("upstream-acl", entry.database);
    }
    if (entry.use == reply_use::blocking) return;  // its time is the caller's wish
    const std::uint32_t us = now_us() - entry.submitted_us;
    c.add_latency(us);
    const auto limit = settings_->settings.slowlog_slower_than.count();
    if (limit >= 0 && us >= static_cast<std::uint64_t>(limit)) add_slow(entry, which.front_command(), us);
}

void shard_core::add_slow(const upstream_entry& entry, std::string_view command_bytes, std::uint32_t us) {
    const auto* s = dynamic_cast<session*>(entry.owner);
    if (s == nullptr || s->control()) return;
    slow_command slow_entry;
    slow_entry.unix_time = unix_time_;
    slow_entry.duration_us = us;
    slow_entry.database = entry.database;
    slow_entry.client_address = s->address().remote;
    slow_entry.client_name = s->name();
    std::string_view rest =
        command_bytes.substr(std::min(command_bytes.size(), command_bytes.find("\r\n") + 2));
    while (!rest.empty() && slow_entry.args.size() < slowlog::args_max) {
        const auto arg = take_bulk(rest);
        slow_entry.args.emplace_back(arg.substr(0, slowlog::arg_bytes_max));
    }
    slow.add(std::move(slow_entry));
}

// The shared links of the dbs are there before the first client, and before leases may take upstream's last
// slots.
void shard_core::open_main_links(const upstream& u) {
    for (int db = 0; db < database_count; ++db)
        if (&upstream_of(db) == &u) shared_link(key_for(db, 2, default_role(), link_lane::main)).open_now();
    u.listener->open_now();
}

void shard_core::learn_commands(upstream& from) {
    if (from.table_learnt) return;
    from.table_learnt = true;
    ask(*from.control, resp::command({"COMMAND"}), [this, &from](std::string_view reply) {
        const auto value = resp::parse_value(reply);
        if (!value || !value->is_aggregate()) {
            from.table_learnt = false;
            return;
        }
        const std::size_t changed = commands.learn(*value);
        classify_commands();
        if (changed > 0 && index == 0)
            log('i', "commands learnt from upstream",
                {{"upstream", masked(from.url)}, {"changed", std::to_string(changed)}});
    });
}

void shard_core::watch_health(upstream& u) {
    if (!u.control->ready()) {
        if (!u.down_since && u.control->state() == link_state::idle) u.control->open_now();
        return;
    }
    if (u.ping_outstanding && now_ - u.pinged_at > ping_time_max && !u.down_since) {
        u.down_since = now_;
        u.cause = "does not answer";
        log('w', "upstream does not answer", {{"upstream", masked(u.url)}});
    }
    if (!u.ping_outstanding && now_ - u.pinged_at >= ping_interval) ping(u);
}

void shard_core::expire_holds() {
    for (auto& l : links_)
        if (!l->ready() && !l->idle() && hold_of(*l) != hold_state::open) l->expire_held();
    for (auto& u : upstreams_)
        if (!u->listener->ready() && hold_of(*u->listener) != hold_state::open) end_all_pending(*u);
    leases.each([&](link& l) {
        if (!l.ready() && !l.idle() && hold_of(l) != hold_state::open) l.expire_held();
    });
}

bool shard_core::wants_fine_ticks() const {
    if (!polls.empty() || receivers.wants_fine_ticks() || !put_back_retries_.empty() ||
        leases.waiting() > 0 || gate.busy() ||
        std::any_of(parked_.begin(), parked_.end(), [](const auto& p) { return p->shut(); }))
        return true;
    return std::any_of(links_.begin(), links_.end(), [](const auto& l) {
        return l->down_since.has_value() || l->retire_when_idle || l->held_back();
    });
}

void shard_core::close_slow_strangers() {
    const auto limit = settings_->settings.auth_timeout;
    if (limit.count() == 0) return;
    while (const auto id = strangers.oldest_since(now_ - limit)) {
        session& s = *find_session(*id);
        strangers.remove(*id);
        ++stats.count.clients_closed_auth_timeout;
        s.close_stranger(s.in_handshake() ? "TLS handshake unfinished in time"
                                          : "unauthenticated for too long");
    }
}

// A WATCH or an open MULTI keeps its connection for as long as it likes, unless others wait for one.
void shard_core::reclaim_idle_leases() {
    static constexpr std::chrono::seconds idle_time_max{1};
    std::size_t wanted = leases.waiting(lease_class::ordinary);
    if (wanted == 0) return;
    std::vector<std::pair<time_point, session*>> idle;
    each_session([&](session& s) {
        const auto since = s.lease_idle_since();
        if (since && now_ - *since >= idle_time_max) idle.emplace_back(*since, &s);
    });
    std::sort(idle.begin(), idle.end());
    for (std::size_t i = 0; i < idle.size() && i < wanted; ++i) idle[i].second->close_idle_lease();
}

// What need not be looked at in every tick.
void shard_core::sweep() {
    swept_at_ = now_;
    each_session([&](session& s) {
        s.on_time(now_);
        if (s.link_ != nullptr && s.link_->retired() && s.entries_ == 0) s.link_ = nullptr;
    });
    close_slow_strangers();
    reclaim_idle_leases();
    leases.tidy(now_, retire_unused_links());
    std::erase_if(links_, [this](const auto& l) {
        if (!l->retired() || l->io != nullptr || l->dirty) return false;
        bool used = false;
        each_session([&](session& s) { used = used || s.link_ == l.get() || s.paused_link_ == l.get(); });
        return !used;
    });
}

void shard_core::on_time() {
    for (auto& u : upstreams_) {
        watch_health(*u);
        watch_scripts(*u);
        if (!u->replay_at || now_ < *u->replay_at) continue;
        u->replay_at.reset();
        u->subscriptions.replay();
        forget_departures(*u);
        layer_store->bus.on_listener_ready(u->index);
    }
    expire_holds();
    polls.on_time(now_);
    tap.on_time(now_);
    gate.on_time(now_);
    receivers.on_time(now_);
    layer_store->on_time(now_);
    layer_service->on_time(now_);
    for (std::size_t i = 0; i < parked_.size(); ++i) parked_[i]->on_time(now_);
    for (auto& l : links_) {
        if (l->retire_when_idle && l->idle() && !l->retired()) l->retire();
        if (!l->ready() && !l->retired()) on_link_dirty(*l);  // a waiting time may be over
    }
    leases.each([&](link& l) {
        if (!l.ready() && !l.retired()) on_link_dirty(l);
    });
    if (now_ - swept_at_ >= sweep_interval) sweep();
    auto due = std::partition(put_back_retries_.begin(), put_back_retries_.end(),
                              [&](const retry& r) { return r.at > now_; });
    std::vector<retry> again(std::make_move_iterator(due), std::make_move_iterator(put_back_retries_.end()));
    put_back_retries_.erase(due, put_back_retries_.end());
    for (auto& r : again) put_back(r.db, std::move(r.what), r.ttl_ms, r.attempt, std::move(r.token));
}

}  // namespace sidecar
