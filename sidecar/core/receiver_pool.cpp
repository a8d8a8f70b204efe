#include "sidecar/core/receiver_pool.hpp"

#include <algorithm>
#include <utility>

#include "channels/core_layer.hpp"
#include "channels/sha1.hpp"
#include "resp/value.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

using message = channels::receive_ledger::message;

namespace {

constexpr std::size_t waits_max = 4;   // connections of a shard
constexpr std::size_t keys_max = 256;  // of one wait
constexpr std::size_t polled_max = 64;
constexpr std::string_view wait_seconds = "1";
constexpr std::chrono::milliseconds poll_interval{50};
constexpr std::chrono::milliseconds issue_interval{20};
constexpr std::chrono::seconds pause_after_error{1};
constexpr std::chrono::seconds orphan_grace{1};
constexpr std::chrono::seconds ledger_sweep_interval{5};
constexpr std::size_t orphans_max = 100'000;
// Of a key that comes to be again; channels_redis's own default, when nothing tells.
constexpr std::int64_t queue_ttl_ms = 60'000;

// KEYS: K!, K!$inflight. Takes the lowest message of K and notes it in K$inflight, which lives as long as K
// would have.
constexpr std::string_view pop_script = R"(local ttl = redis.call('PTTL', KEYS[1])
local taken = redis.call('ZPOPMIN', KEYS[1])
if #taken == 0 then return false end
redis.call('ZADD', KEYS[2], taken[2], taken[1])
if ttl <= 0 then ttl = 60000 end
if redis.call('PTTL', KEYS[2]) < ttl then redis.call('PEXPIRE', KEYS[2], ttl) end
return taken)";

std::optional<message> read_pair(const resp::value& pair) {
    if (!pair.is_aggregate() || pair.items.size() != 2 || !pair.items[0].is_text()) return std::nullopt;
    return message{pair.items[0].text, pair.items[1].text};
}

broker::popped popped_from(std::string_view key, const message& what) {
    return {std::string(key), broker::popped::where::sorted_set, {what.member}, {what.score}};
}

std::int64_t milliseconds_of(time_point now) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

}  // namespace

// --- shared_wait

bool shared_wait::issue(int db, std::vector<std::string> names, const std::vector<std::string_view>& keys) {
    lease_ = shard_.leases.take(shard_.key_for(db, 2, shard_.default_role(), link_lane::lease),
                                lease_class::blocking);
    if (lease_ == nullptr) return false;
    ++shard_.stats.count.channels_shared_waits;
    db_ = db;
    names_ = std::move(names);
    const std::string count = std::to_string(keys.size());
    std::vector<std::string_view> words{"BZMPOP", wait_seconds, count};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), {"MIN", "COUNT", "1"});
    std::string bytes;
    resp::append_command(bytes, words);
    upstream_entry entry;
    entry.owner = this;
    entry.database = static_cast<std::uint8_t>(db);
    entry.submitted_us = shard_.now_us();
    entry.use = reply_use::internal;
    entry.flags = entry_flag::unbounded;
    lease_->submit(entry, bytes);
    return true;
}

void shared_wait::over(bool destroyed) {
    link* lease = std::exchange(lease_, nullptr);
    if (destroyed) {
        shard_.leases.destroy(*lease);
    } else {
        shard_.leases.give_back(*lease, shard_.now());
    }
    pool_.on_shared_over(std::exchange(names_, {}), destroyed);
}

void shared_wait::on_reply(const upstream_entry&, std::string_view bytes, bool complete) {
    reply_.append(bytes);
    if (!complete) return;
    const std::string reply = std::exchange(reply_, {});
    over(false);
    pool_.on_shared_reply(db_, reply);
}

loss_verdict shared_wait::on_link_lost(const upstream_entry&, bool sent) {
    reply_.clear();
    if (sent) ++shard_.stats.count.pops_unknown;
    over(true);
    return loss_verdict::drop;
}

void shared_wait::on_never_sent(const upstream_entry&) {
    if (lease_ != nullptr) over(true);
}

void shared_wait::on_lease_failed(const link& lease) {
    if (lease_ == &lease) over(true);
}

// --- receiver_pool

receiver_pool::receiver_pool(shard_core& shard) : shard_(shard) {
    for (std::size_t i = 0; i < waits_max; ++i) waits_.push_back(std::make_unique<shared_wait>(*this, shard));
}

std::string receiver_pool::name_of(int db, std::string_view key) {
    std::string name(1, static_cast<char>(db));
    name.append(key);
    return name;
}

receiver_pool::queue* receiver_pool::find(const std::string& name) {
    const auto it = queues_.find(name);
    return it == queues_.end() ? nullptr : it->second.get();
}

link& receiver_pool::main_link(int db) {
    return shard_.shared_link(shard_.key_for(db, 2, shard_.default_role(), link_lane::main));
}

std::size_t receiver_pool::connections() const {
    return static_cast<std::size_t>(
        std::count_if(waits_.begin(), waits_.end(), [](const auto& w) { return !w->idle(); }));
}

// To be called when something about the queue has changed.
void receiver_pool::tidy(const std::string& name) {
    const queue* q = find(name);
    if (q != nullptr && q->uncovered()) {
        open_.insert(name);
    } else if (q != nullptr && q->line.empty() && q->asking == 0 && q->covered == 0) {
        queues_.erase(name);
    }
}

void receiver_pool::add(session& who, int db, std::string_view key, time_point deadline) {
    const std::string name = name_of(db, key);
    auto& slot = queues_[name];
    if (!slot) {
        slot = std::make_unique<queue>();
        slot->db = db;
        slot->key = key;
    }
    slot->line.push_back({&who, deadline});
    ++waiting_;
    ask(name);
}

void receiver_pool::remove(session& who, int db, std::string_view key) {
    const std::string name = name_of(db, key);
    queue* q = find(name);
    if (q == nullptr) return;
    waiting_ -= std::erase_if(q->line, [&](const place& p) { return p.who == &who; });
    tidy(name);
}

void receiver_pool::wake(int db, std::string_view key) {
    const std::string name = name_of(db, key);
    const queue* q = find(name);
    if (q != nullptr && !q->line.empty() && q->covered == 0) ask(name);
}

void receiver_pool::pop(int db, const std::string& key, std::function<void(std::string_view)> done) {
    if (!channels::has_one_reader(key))
        return shard_.ask(main_link(db), resp::command({"ZPOPMIN", key}), std::move(done));
    static const std::string hash = channels::sha1_hex(pop_script);
    const std::string inflight = channels::inflight_key(key);
    auto& up = shard_.upstream_of(db);
    if ((up.scripts_loaded & script_mark::pop) == 0) {
        shard_.ask(main_link(db), resp::command({"EVAL", pop_script, "2", key, inflight}),
                   [&up, done = std::move(done)](std::string_view reply) {
                       if (!reply.empty() && reply.front() != '-') up.scripts_loaded |= script_mark::pop;
                       done(reply);
                   });
        return;
    }
    shard_.ask(main_link(db), resp::command({"EVALSHA", hash, "2", key, inflight}),
               [this, &up, db, key, done = std::move(done)](std::string_view reply) mutable {
                   if (!reply.starts_with("-NOSCRIPT")) return done(reply);
                   up.scripts_loaded &= static_cast<std::uint8_t>(~script_mark::pop);
                   pop(db, key, std::move(done));
               });
}

void receiver_pool::ask(const std::string& name) {
    queue& q = *find(name);
    if (q.asking > 0) {
        q.ask_again = true;
        return;
    }
    if (q.look_again && !main_link(q.db).ready()) return;
    if (q.look_again) return tell_nil(q.db, q.key);
    ++q.asking;
    q.stale = q.ask_again = false;
    const std::uint64_t for_whom = q.line.empty() ? 0 : q.line.front().who->id();
    pop(q.db, q.key, [this, name, for_whom](std::string_view reply) { on_asked(name, for_whom, reply); });
}

void receiver_pool::on_asked(const std::string& name, std::uint64_t for_whom, std::string_view reply) {
    queue& q = *find(name);
    --q.asking;
    const auto value = resp::parse_value(reply);
    // The connection was lost, or Redis will not have it now: asked again in a while.
    const bool not_now = reply.starts_with("-LOADING") || reply.starts_with("-BUSY") ||
                         reply.starts_with("-MASTERDOWN") || reply.starts_with("-READONLY");
    if (!value || not_now) {
        q.stale = true;
        if (!value && channels::has_one_reader(q.key)) q.look_again = true;
        if (!value && !channels::has_one_reader(q.key)) ++shard_.stats.count.pops_unknown;
    } else if (value->type == resp::kind::error) {
        tell_all(q, std::string(reply));
    } else if (auto taken = read_pair(*value)) {
        deliver(q, std::move(*taken), for_whom);
        if (!q.line.empty()) ask(name);
    } else if (q.ask_again && !q.line.empty()) {
        ask(name);
    }
    tidy(name);
}

void receiver_pool::tell_all(queue& q, const std::string& error) {
    const auto line = std::exchange(q.line, {});
    waiting_ -= line.size();
    for (const place& p : line) p.who->on_receive_over(error);
}

// `for_whom` waited when it was popped. Another reader of a process's queue may have cleaned up meanwhile:
// the message then stands in the queue again and must not be given to him.
void receiver_pool::deliver(queue& q, message what, std::uint64_t for_whom) {
    session* who = q.line.empty() ? nullptr : q.line.front().who;
    if (who == nullptr || (channels::has_one_reader(q.key) && who->id() != for_whom))
        return give_back(q.db, q.key, what);
    q.line.pop_front();
    --waiting_;
    who->on_received(q.db, q.key, std::move(what));
}

// Noted in K!$inflight before anybody sees it.
void receiver_pool::reserve(const std::string& name, message what) {
    queue& q = *find(name);
    const std::uint64_t for_whom = q.line.front().who->id();
    ++q.asking;
    const std::string inflight = channels::inflight_key(q.key);
    link& over = main_link(q.db);
    shard_.ask(over, resp::command({"ZADD", inflight, what.score, what.member}),
               [this, name, what, for_whom](std::string_view reply) mutable {
                   queue& at = *find(name);
                   --at.asking;
                   if (reply.empty() || reply.front() == '-') {
                       put_back_later(at, what);
                       at.stale = true;
                   } else {
                       deliver(at, std::move(what), for_whom);
                       if (!at.line.empty()) ask(name);
                   }
                   tidy(name);
               });
    shard_.ask(over, resp::command({"PEXPIRE", inflight, std::to_string(queue_ttl_ms), "NX"}),
               [](std::string_view) {});
}

// From where nothing may be submitted.
void receiver_pool::put_back_later(const queue& q, const message& what) {
    shard_.put_back_later(q.db, popped_from(q.key, what), queue_ttl_ms);
}

void receiver_pool::give_back(int db, std::string_view key, const message& what) {
    ++shard_.stats.count.channels_put_backs;
    shard_.process.receives.forget(db, key, what.member);
    if (!channels::has_one_reader(key)) return shard_.put_back(db, popped_from(key, what), queue_ttl_ms);
    const std::string name(key);
    for (int shard = 0; shard < shard_.process.shards; ++shard)
        shard_.process.post(shard, [db, name](shard_core& s) { s.receivers.nudge(db, name); });
}

void receiver_pool::nudge(int db, std::string_view key) {
    const queue* q = find(name_of(db, key));
    if (q != nullptr && !q->line.empty()) tell_nil(db, key);
}

void receiver_pool::tell_nil(int db, std::string_view key) {
    const std::string name = name_of(db, key);
    queue& q = *find(name);
    q.look_again = false;
    shard_.stats.count.channels_early_nils += q.line.size();
    tell_all(q, {});
    tidy(name);
}

void receiver_pool::adopt(int db, channels::receive_ledger::orphan what) {
    if (orphans_.size() >= orphans_max) return;  // the next cleanup of its queue takes it
    orphans_.push_back({shard_.now() + orphan_grace, db, std::move(what)});
}

void receiver_pool::settle_orphans(time_point now) {
    while (!orphans_.empty() && now >= orphans_.front().at) {
        const orphan_at o = std::move(orphans_.front());
        orphans_.pop_front();
        if (shard_.process.receives.take_orphan(o.db, o.what.key, o.what.what.member))
            give_back(o.db, o.what.key, o.what.what);
    }
}

// --- waiting together

void receiver_pool::on_shared_over(const std::vector<std::string>& names, bool lost) {
    for (const auto& name : names) {
        queue* q = find(name);
        if (q == nullptr) continue;
        --q->covered;
        if (lost) q->stale = true;
        tidy(name);
    }
}

void receiver_pool::on_shared_reply(int db, std::string_view reply) {
    const auto value = resp::parse_value(reply);
    if (!value || value->type == resp::kind::error) {
        issue_from_ = shard_.now() + pause_after_error;
        return;
    }
    if (!value->is_aggregate() || value->items.size() != 2 || value->items[1].items.size() != 1) return;
    auto taken = read_pair(value->items[1].items[0]);
    if (!taken) return;
    issue_from_ = shard_.now();
    const std::string& key = value->items[0].text;
    const std::string name = name_of(db, key);
    queue* q = find(name);
    if (q != nullptr && !q->line.empty()) {
        if (channels::has_one_reader(key)) return reserve(name, std::move(*taken));
        deliver(*q, std::move(*taken), 0);
        if (!q->line.empty()) ask(name);
        return tidy(name);
    }
    ++shard_.stats.count.channels_put_backs;
    shard_.put_back(db, popped_from(key, *taken), queue_ttl_ms);
}

std::vector<receiver_pool::queue*> receiver_pool::uncovered_of_one_db() {
    std::vector<queue*> found;
    std::erase_if(open_, [&](const std::string& name) {
        queue* q = find(name);
        if (q == nullptr || !q->uncovered()) return true;
        if (!q->stale && (found.empty() || found.front()->db == q->db)) found.push_back(q);
        return false;
    });
    return found;
}

void receiver_pool::issue_wait(time_point now) {
    if (now < issue_from_ || shard_.draining()) return;
    const auto free = std::find_if(waits_.begin(), waits_.end(), [](const auto& w) { return w->idle(); });
    if (free == waits_.end()) return;
    std::vector<queue*> chosen = uncovered_of_one_db();
    if (chosen.empty()) return;
    // The first of several queues with messages is served: each is first in its turn.
    std::rotate(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(rotation_++ % chosen.size()),
                chosen.end());
    if (chosen.size() > keys_max) chosen.resize(keys_max);
    const int db = chosen.front()->db;
    std::vector<std::string> names;
    std::vector<std::string_view> keys;
    for (const queue* q : chosen) {
        names.push_back(name_of(db, q->key));
        keys.push_back(q->key);
    }
    issue_from_ = now + issue_interval;
    if (!(*free)->issue(db, names, keys)) return;
    for (queue* q : chosen) ++q->covered;
    for (const auto& name : names) open_.erase(name);
}

void receiver_pool::on_turn() {
    if (!open_.empty()) issue_wait(shard_.now());
    auto& shown = shard_.process.uncovered_receivers[static_cast<std::size_t>(shard_.index)];
    const auto uncovered = static_cast<std::uint32_t>(open_.size());
    if (shown.load(std::memory_order_relaxed) != uncovered) shown.store(uncovered, std::memory_order_relaxed);
}

// What no connection waits for is asked in turn.
void receiver_pool::poll_some() {
    std::vector<std::string> names;
    for (const std::string& name : open_)
        if (const queue* q = find(name); q != nullptr && q->uncovered()) names.push_back(name);
    if (names.empty()) return;
    std::rotate(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(rotation_++ % names.size()),
                names.end());
    if (names.size() > polled_max) names.resize(polled_max);
    shard_.stats.count.polls += names.size();
    for (const auto& name : names) ask(name);
}

void receiver_pool::on_time(time_point now) {
    settle_orphans(now);
    if (now - swept_at_ > ledger_sweep_interval) {
        swept_at_ = now;
        if (shard_.index == 0) shard_.process.receives.sweep(milliseconds_of(now));
    }
    if (queues_.empty()) return;
    std::vector<std::string> touched;
    for (const auto& [name, q] : queues_) {
        std::vector<session*> late;
        std::erase_if(q->line, [&](const place& p) {
            if (now < p.deadline) return false;
            late.push_back(p.who);
            return true;
        });
        if (late.empty()) continue;
        waiting_ -= late.size();
        shard_.stats.count.channels_early_nils += late.size();
        touched.push_back(name);
        for (session* who : late) who->on_receive_over({});
    }
    for (const auto& name : touched) tidy(name);
    if (now - polled_at_ < poll_interval) return;
    polled_at_ = now;
    poll_some();
}

void receiver_pool::on_lease_failed(const link& lease) {
    for (auto& w : waits_) w->on_lease_failed(lease);
}

}  // namespace sidecar
