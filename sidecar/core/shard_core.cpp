#include "sidecar/core/shard_core.hpp"

#include <algorithm>
#include <utility>

#include "resp/writer.hpp"
#include "sidecar/core/channel_service.hpp"
#include "sidecar/core/channel_store.hpp"
#include "sidecar/core/session.hpp"

namespace sidecar {

namespace {

constexpr std::size_t leases_reserved = 64;  // of the process, for transactions
constexpr std::size_t resumes_per_turn_max = 100'000;

std::size_t share(std::size_t whole, int shards) {
    return std::max<std::size_t>(1, whole / static_cast<std::size_t>(std::max(shards, 1)));
}

// What channels::recognise_layer looks at.
bool is_layers_command(std::string_view name) {
    constexpr std::array<std::string_view, 8> names{"bzpopmin", "zadd", "zpopmin", "zremrangebyscore",
                                                    "expire",   "zrem", "eval",    "evalsha"};
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

shard_core::shard_core(int shard_index, process_state& state, std::shared_ptr<const runtime> settings)
    : index(shard_index),
      process(state),
      leases(share(settings->settings.leases_max, state.shards), share(leases_reserved, state.shards),
             [this](const link_key& key) { return make_link(key); }),
      polls(*this),
      tap(state),
      gate(*this),
      receivers(*this),
      layer_store(std::make_unique<channel_store>(*this)),
      layer_service(std::make_unique<channel_service>(*this)),
      settings_(std::move(settings)),
      seed_(static_cast<std::uint64_t>(shard_index + 1) * 0x9E3779B97F4A7C15ULL) {
    classify_commands();
    tap.on_delivery = [this](int db, std::string_view hash, std::string_view tag) {
        gate.noted(db, hash, tag);
    };
    for (int db = 0; db < database_count; ++db) {
        const auto& url = settings_->settings.redis[static_cast<std::size_t>(db)];
        const auto same =
            std::find_if(upstreams_.begin(), upstreams_.end(), [&](const auto& u) { return u->url == url; });
        upstream_index_of_db_[static_cast<std::size_t>(db)] = static_cast<int>(same - upstreams_.begin());
        if (same != upstreams_.end()) continue;
        auto u = std::make_unique<upstream>();
        u->url = url;
        u->index = static_cast<int>(upstreams_.size());
        upstreams_.push_back(std::move(u));
    }
    // Dbs beyond the three exist in open policy only, on the first instance.
    for (std::size_t db = database_count; db < upstream_index_of_db_.size(); ++db)
        upstream_index_of_db_[db] = 0;
    for (auto& u : upstreams_) {
        const auto first_db = static_cast<std::uint8_t>(
            std::find(upstream_index_of_db_.begin(), upstream_index_of_db_.end(), u->index) -
            upstream_index_of_db_.begin());
        const auto make = [&](link_lane lane) {
            link_key key;
            key.upstream = static_cast<std::uint8_t>(u->index);
            key.database = first_db;
            key.protocol = 3;
            key.role = link_role::full;
            key.lane = lane;
            links_.push_back(make_link(key));
            return links_.back().get();
        };
        u->control = make(link_lane::control);
        u->listener = make(link_lane::subscription);
    }
}

// Whoever still waits for an answer is told while everything it may touch is there.
shard_core::~shard_core() {
    layer_store->close();
    for (auto& l : links_) l->retire();
    leases.each([](link& l) { l.retire(); });
}

void shard_core::reload(std::shared_ptr<const runtime> fresh) {
    settings_ = std::move(fresh);
    classify_commands();
    // Links take new credentials and rules with their next connection.
    for (auto& l : links_) l->renew(settings_for(l->key()));
    each_session([](session& s) { s.on_reload(); });
}

void shard_core::classify_commands() {
    const policy& rules = settings_->rules;
    guarded_dbs_ = watched_dbs_ = 0;
    for (unsigned db = 0; db < upstream_index_of_db_.size(); ++db) {
        if (guards_channels(settings_->settings, static_cast<int>(db))) guarded_dbs_ |= 1U << db;
        if (inspects_broker(settings_->settings, static_cast<int>(db))) watched_dbs_ |= 1U << db;
    }
    commands.mark([&](const command_spec& spec) {
        std::uint32_t special = is_layers_command(spec.name) ? command_flag::guarded : 0U;
        if (spec.traffic != broker::traffic::none) special |= command_flag::watched;
        if (broker::tells_itself(spec.traffic) && spec.traffic != broker::traffic::take_note)
            special |= command_flag::recorded;
        if (rules.must_check(spec)) return special;
        const bool plain =
            spec.id == verb::other && !spec.has(command_flag::blocking | command_flag::container);
        return special | command_flag::unjudged | (plain ? command_flag::plain : 0U);
    });
}

void shard_core::log(char level, std::string_view event,
                     const std::vector<std::pair<std::string, std::string>>& fields) {
    if (process.log) process.log(level, event, fields);
}

// --- sessions

session& shard_core::open_session(client_address address) {
    const std::uint64_t id = process.next_client_id.fetch_add(1, std::memory_order_relaxed);
    auto& slot = sessions_[id];
    slot = std::make_unique<session>(*this, id, std::move(address));
    if (!is_control(*slot)) ++stats.count.clients_accepted;
    if (slot->stranger()) strangers.add(id, now_);
    return *slot;
}

bool shard_core::is_control(const session& s) {
    return s.address().kind == client_kind::control;
}

bool shard_core::make_room() {
    static constexpr std::chrono::seconds spared{1};
    const auto id = strangers.oldest_since(now_ - spared);
    if (!id) return false;
    ++stats.count.clients_closed_for_room;
    find_session(*id)->close_stranger("unauthenticated while others need the room");
    return true;
}

session* shard_core::find_session(std::uint64_t id) {
    const auto it = sessions_.find(id);
    return it == sessions_.end() ? nullptr : it->second.get();
}

void shard_core::resume_later(session& s) {
    if (s.resume_queued_) return;
    s.resume_queued_ = true;
    to_resume_.push_back(&s);
}

void shard_core::dispose_later(session& s) {
    to_dispose_.push_back(s.id());
}

void shard_core::check_later(session& s) {
    to_check_.push_back(s.id());
}

void shard_core::mark_dirty(session& s) {
    if (s.dirty) return;
    s.dirty = true;
    dirty_sessions.push_back(&s);
}

void shard_core::resume_publishers() {
    const auto waiting = std::move(publish_waiters_);
    publish_waiters_.clear();
    for (session* s : waiting) s->on_publish_fence_over();
}

// --- upstream

upstream& shard_core::upstream_of(int db) {
    return *upstreams_[static_cast<std::size_t>(upstream_index_of_db_[static_cast<std::size_t>(db & 15)])];
}

link_key shard_core::key_for(int db, int protocol, link_role role, link_lane lane) {
    link_key key;
    key.upstream = static_cast<std::uint8_t>(upstream_of(db).index);
    key.database = static_cast<std::uint8_t>(db);
    key.protocol = static_cast<std::uint8_t>(protocol);
    key.role = role;
    key.lane = lane;
    return key;
}

handshake_settings shard_core::settings_for(const link_key& key) const {
    const auto& s = settings_->settings;
    const auto& url = upstreams_[key.upstream]->url;
    handshake_settings h;
    h.user = url.user;
    h.password = url.password.empty() ? s.redis_password : url.password;
    h.protocol = key.protocol;
    h.database = key.database;
    h.client_name = "sidecar";
    if (key.role == link_role::full) return h;
    const bool readonly = key.role == link_role::confined_readonly;
    h.confined_rules = settings_->rules.upstream_acl_rules(key.database, readonly);
    if (h.confined_rules.empty()) return h;
    // Name and password follow from the rules and the upstream password, so that several sidecars agree on
    // both and versions with other rules do not overwrite each other's user.
    std::string text;
    for (const auto& rule : h.confined_rules) text += rule + " ";
    h.confined_user = "sidecar-db" + std::to_string(key.database) + (readonly ? "-ro-" : "-") +
                      sha256_hex(text).substr(0, 8);
    h.confined_password = hmac_sha256_hex("sidecar:" + h.password, h.confined_user);
    return h;
}

std::unique_ptr<link> shard_core::make_link(const link_key& key) {
    seed_ = seed_ * 6364136223846793005ULL + 1442695040888963407ULL;
    auto made = std::make_unique<link>(key, settings_for(key), *this, seed_);
    made->idle_since = now_;
    return made;
}

hold_state shard_core::hold_of(const link& which) {
    const auto& u = *upstreams_[which.key().upstream];
    if (u.refused) return hold_state::refused;
    std::optional<time_point> since = which.down_since;
    if (u.down_since && (!since || *u.down_since < *since)) since = u.down_since;
    if (!since) return hold_state::open;
    const auto& s = settings_->settings;
    const auto hold = which.key().database == 0 ? s.db0_hold : s.hold;
    return now_ - *since > hold ? hold_state::expired : hold_state::open;
}

namespace {

// A question of the sidecar's own: lives until it is answered.
class question final : public reply_owner {
public:
    explicit question(std::function<void(std::string_view)> done) : done_(std::move(done)) {}
    void on_reply(const upstream_entry&, std::string_view bytes, bool complete) override {
        reply_.append(bytes);
        if (complete) finish(reply_);
    }
    loss_verdict on_link_lost(const upstream_entry&, bool) override {
        finish({});
        return loss_verdict::drop;
    }
    void on_never_sent(const upstream_entry&) override { finish({}); }

private:
    void finish(std::string_view reply) {
        const auto done = std::move(done_);
        const std::string text(reply);
        delete this;
        done(text);
    }
    std::function<void(std::string_view)> done_;
    std::string reply_;
};

}  // namespace

void shard_core::ask(link& over, std::string_view command_bytes, std::function<void(std::string_view)> done) {
    upstream_entry entry;
    entry.owner = new question(std::move(done));
    entry.use = reply_use::internal;
    entry.flags = entry_flag::unbounded;
    entry.database = over.key().database;
    entry.submitted_us = now_us();
    over.submit(entry, command_bytes);
}

void shard_core::put_back(int db, broker::popped what, std::optional<std::int64_t> ttl_ms, int attempt,
                          std::string token) {
    constexpr int attempts_max = 100;
    constexpr std::size_t retries_max = 10'000;
    static constexpr std::chrono::milliseconds retry_interval{200};
    if (attempt >= attempts_max || put_back_retries_.size() >= retries_max) {
        ++stats.count.put_backs_dropped;
        log('e', "put-back given up", {{"db", std::to_string(db)}, {"key", what.key}});
        return;
    }
    link& over = shared_link(key_for(db, 2, default_role(), link_lane::main));
    if (token.empty())
        token = "__sidecar:put-back:" + process.run_id + ":" +
                std::to_string(process.next_put_back.fetch_add(1, std::memory_order_relaxed));
    const std::string bytes = broker::put_back_command(what, ttl_ms, token);
    ask(over, bytes,
        [this, db, what = std::move(what), ttl_ms, attempt, token](std::string_view reply) mutable {
            if (!reply.empty() && reply.front() != '-') {
                link& main = shared_link(key_for(db, 2, default_role(), link_lane::main));
                ask(main, resp::command({"DEL", token}), [](std::string_view) {});
                ++stats.count.put_backs;
                receivers.wake(db, what.key);
                log('i', "put back",
                    {{"db", std::to_string(db)},
                     {"key", what.key},
                     {"elements", std::to_string(what.elements.size())}});
                return;
            }
            // A lost connection leaves open whether the script ran: its token makes a second run harmless.
            ++stats.count.put_backs_failed;
            put_back_retries_.push_back(
                {db, std::move(what), ttl_ms, attempt + 1, token, now_ + retry_interval});
        });
}

void shard_core::put_back_later(int db, broker::popped what, std::optional<std::int64_t> ttl_ms) {
    put_back_retries_.push_back({db, std::move(what), ttl_ms, 0, {}, now_});
}

bool shard_core::receivers_uncovered() const {
    return std::any_of(process.uncovered_receivers.begin(), process.uncovered_receivers.end(),
                       [](const auto& n) { return n.load(std::memory_order_relaxed) > 0; });
}

void shard_core::wake_receivers(int db, const std::string& key) {
    receivers.wake(db, key);
    for (int shard = 0; shard < process.shards; ++shard) {
        const auto& uncovered = process.uncovered_receivers[static_cast<std::size_t>(shard)];
        if (shard == index || uncovered.load(std::memory_order_relaxed) == 0) continue;
        process.post(shard, [db, key](shard_core& other) { other.receivers.wake(db, key); });
    }
}

void shard_core::unblock_upstream(link& lease, parked_call* call, bool as_error) {
    const std::string id = std::to_string(lease.upstream_client_id());
    link* control = upstreams_[lease.key().upstream]->control;
    ask(*control, resp::command({"CLIENT", "UNBLOCK", id, as_error ? "ERROR" : "TIMEOUT"}),
        [call](std::string_view reply) { call->on_unblock_answered(reply); });
}

parked_call& shard_core::park(session& client, broker::blocking_call call, link_key key,
                              std::uint16_t command) {
    parked_.push_back(std::make_unique<parked_call>(*this, client, std::move(call), key, command));
    return *parked_.back();
}

// --- brokers

void shard_core::set_delivery_rules(std::shared_ptr<const broker::delivery_rules> rules) {
    gate.set_rules(std::move(rules));
    for (const auto& call : parked_) call->on_rules();
}

bool shard_core::close_client(std::uint64_t id) {
    session* s = find_session(id);
    if (s == nullptr || s->life() == session_life::closed) return false;
    s->kill();
    return true;
}

void shard_core::tell_nudged() {
    const std::uint32_t dbs = std::exchange(nudged_dbs_, 0U);
    polls.nudge(dbs);
    for (int shard = 0; shard < process.shards; ++shard) {
        const auto& waiting = process.reserving_pops[static_cast<std::size_t>(shard)];
        if (shard == index || waiting.load(std::memory_order_relaxed) == 0) continue;
        process.post(shard, [dbs](shard_core& other) { other.polls.nudge(dbs); });
    }
}

// --- turn

void shard_core::finish_turn() {
    layer_service->finish_turn();
    leases.serve_waiters();
    receivers.on_turn();
    for (std::size_t i = 0; i < to_resume_.size() && i < resumes_per_turn_max; ++i) {
        session* s = to_resume_[i];
        s->resume_queued_ = false;
        if (s->life() == session_life::open) s->resume();
        if (i + 1 == to_resume_.size()) leases.serve_waiters();
    }
    to_resume_.erase(to_resume_.begin(), to_resume_.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                  to_resume_.size(), resumes_per_turn_max)));
    for (auto& u : upstreams_) {
        if (!u->subscriptions.has_commands()) continue;
        if (!u->listener->ready()) {
            if (!u->listener->open_wanted()) u->listener->open_now();
            continue;
        }
        u->listener->send_unanswered(u->subscriptions.take_commands());
    }
    if (std::exchange(parked_changed_, false))
        std::erase_if(parked_, [](const auto& p) { return p->disposable(); });
    for (const std::uint64_t id : std::exchange(to_check_, {}))
        if (session* s = find_session(id)) s->check_output();
    layer_service->finish_turn();
    gate.finish_turn();
    tap.finish_turn(now_);
    if (nudged_dbs_ != 0) tell_nudged();
    if (settings_->settings.broker.reserve)
        process.reserving_pops[static_cast<std::size_t>(index)].store(polls.reserving(),
                                                                      std::memory_order_relaxed);
    dispose();
}

void shard_core::dispose() {
    std::vector<std::uint64_t> later;
    for (const std::uint64_t id : std::exchange(to_dispose_, {})) {
        session* s = find_session(id);
        if (s == nullptr || !s->disposable()) continue;
        if (s->io != nullptr || s->dirty) {
            later.push_back(id);  // the socket's side has not let go yet
            continue;
        }
        publish_waiters_.erase(s);
        sessions_.erase(id);
    }
    to_dispose_.insert(to_dispose_.end(), later.begin(), later.end());
}

void shard_core::begin_drain() {
    draining_ = true;
    layer_service->begin_drain();
    gate.begin_drain();
    each_client([](session& s) { s.drain(); });
}

bool shard_core::drained() const {
    return !gate.busy() && std::all_of(sessions_.begin(), sessions_.end(),
                                       [](const auto& s) { return is_control(*s.second); });
}

// --- counters

std::vector<link*> shard_core::links() const {
    std::vector<link*> all;
    for (const auto& l : links_) all.push_back(l.get());
    leases.each([&](link& l) { all.push_back(&l); });
    return all;
}

metrics shard_core::snapshot() {
    auto& g = stats.now;
    g = gauges{};
    each_client([&](session& s) {
        if (s.life() == session_life::closed) return;
        ++g.clients;
        if (s.blocked()) ++g.clients_blocked;
        if (s.subscribed()) ++g.clients_subscribed;
        if (s.leased()) ++g.clients_leased;
        g.output_bytes += s.output().size();
    });
    g.clients_unauthenticated = strangers.size();
    stats.count.broker_notes_dropped = tap.dropped();
    layer_service->add_to(g);
    g.leases_in_use = leases.in_use();
    g.leases_idle = leases.idle();
    g.lease_waiters = leases.waiting();
    g.channels_receivers = receivers.waiting();
    g.channels_receiver_connections = receivers.connections();
    if (index == 0) {
        g.channels_receives_open = process.receives.size();
        g.channels_receive_bytes = process.receives.bytes();
    }
    for (link* l : links()) {
        g.commands_in_flight += l->in_flight();
        if (l->key().lane == link_lane::lease) continue;
        if (l->ready()) {
            ++g.links_ready;
        } else if (l->down_since) {
            ++g.links_down;
        }
    }
    for (const auto& u : upstreams_) g.channels += u->subscriptions.size();
    for (int db = 0; db < database_count; ++db)
        stats.upstream_up[static_cast<std::size_t>(db)] = upstream_of(db).control->ready() ? 1 : 0;
    stats.shards = 1;
    return metrics(stats);
}

}  // namespace sidecar
