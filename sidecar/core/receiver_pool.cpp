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

// KEYS: K, K$inflight. Takes the lowest message of K and notes it in K$inflight, which lives as long as K
// would have.
constexpr std::string_view pop_script = R"(local ttl = redis.call('PTTL', KEYS[1])
local taken = redis.call('ZPOPMIN', KEYS[1])
if #taken == 0 then return false end
redis.call('ZADD', KEYS[2], taken[2], taken[1])
if ttl <= 0 then ttl = 60000 end
if redis.call('PTTL', KEYS[2]) < ttl then redis.call('PEXPIRE', KEYS[2], ttl) end
return taken)";

// KEYS: K, K$inflight. ARGV: "only" or "but", members. Moves those members, or all but those, back to K.
constexpr std::string_view put_back_script = R"(local named = {}
for i = 2, #ARGV do named[ARGV[i]] = true end
local ttl = redis.call('PTTL', KEYS[2])
local held = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
local moved = 0
for i = 1, #held, 2 do
  if (named[held[i]] or false) == (ARGV[1] == 'only') then
    redis.call('ZREM', KEYS[2], held[i])
    redis.call('ZADD', KEYS[1], held[i + 1], held[i])
    moved = moved + 1
  end
end
if moved > 0 and redis.call('PTTL', KEYS[1]) == -1 then
  if ttl <= 0 then ttl = 60000 end
  redis.call('PEXPIRE', KEYS[1], ttl)
end
return moved)";

struct own_script {
    std::string_view text;
    std::string hash;
    std::uint8_t mark;
};

const own_script& script_of(bool pops) {
    static const own_script pop{pop_script, channels::sha1_hex(pop_script), script_mark::pop};
    static const own_script back{put_back_script, channels::sha1_hex(put_back_script), script_mark::put_back};
    return pops ? pop : back;
}

std::string call_of(std::string_view verb, std::string_view script, std::string_view key,
                    const std::vector<std::string>& args) {
    const std::string inflight = channels::inflight_key(key);
    std::vector<std::string_view> words{verb, script, "2", key, inflight};
    words.insert(words.end(), args.begin(), args.end());
    std::string out;
    resp::append_command(out, words);
    return out;
}

std::optional<message> read_pair(const resp::value& pair) {
    if (!pair.is_aggregate() || pair.items.size() != 2 || !pair.items[0].is_text()) return std::nullopt;
    return message{pair.items[0].text, pair.items[1].text};
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

void receiver_pool::run(int db, script which, std::string_view key, std::vector<std::string> args,
                        std::function<void(std::string_view)> done) {
    const own_script& s = script_of(which == script::pop);
    auto& up = shard_.upstream_of(db);
    if ((up.scripts_loaded & s.mark) == 0) {
        shard_.ask(main_link(db), call_of("EVAL", s.text, key, args),
                   [&up, mark = s.mark, done = std::move(done)](std::string_view reply) {
                       if (!reply.empty() && reply.front() != '-') up.scripts_loaded |= mark;
                       done(reply);
                   });
        return;
    }
    const std::string bytes = call_of("EVALSHA", s.hash, key, args);
    shard_.ask(main_link(db), bytes,
               [this, &up, mark = s.mark, db, which, key = std::string(key), args = std::move(args),
                done = std::move(done)](std::string_view reply) mutable {
                   if (!reply.starts_with("-NOSCRIPT")) return done(reply);
                   up.scripts_loaded &= static_cast<std::uint8_t>(~mark);
                   run(db, which, key, std::move(args), std::move(done));
               });
}

void receiver_pool::ask(const std::string& name) {
    queue& q = *find(name);
    if (q.asking > 0) {
        q.ask_again = true;
        return;
    }
    ++q.asking;
    q.stale = q.ask_again = false;
    if (std::exchange(q.recover, false)) {
        std::vector<std::string> args{"but"};
        for (auto& member : shard_.process.receives.members(q.db, q.key)) args.push_back(std::move(member));
        run(q.db, script::put_back, q.key, std::move(args), [](std::string_view) {});
    }
    run(q.db, script::pop, q.key, {}, [this, name](std::string_view reply) { on_asked(name, reply); });
}

void receiver_pool::on_asked(const std::string& name, std::string_view reply) {
    queue& q = *find(name);
    --q.asking;
    const auto value = resp::parse_value(reply);
    // The connection was lost, or Redis will not have it now: asked again in a while.
    const bool not_now = reply.starts_with("-LOADING") || reply.starts_with("-BUSY") ||
                         reply.starts_with("-MASTERDOWN") || reply.starts_with("-READONLY");
    if (!value || not_now) {
        q.stale = true;
        q.recover = q.recover || !value;
    } else if (value->type == resp::kind::error) {
        tell_all(q, std::string(reply));
    } else if (auto taken = read_pair(*value)) {
        deliver(q, std::move(*taken));
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

void receiver_pool::deliver(queue& q, message what) {
    if (q.line.empty()) return give_back(q.db, q.key, what);
    session* who = q.line.front().who;
    q.line.pop_front();
    --waiting_;
    who->on_received(q.db, q.key, std::move(what));
}

// The queue outlives the call: whoever gets the message may take the last place with him.
void receiver_pool::reserve(const std::string& name, message what) {
    queue& q = *find(name);
    ++q.asking;
    const std::string inflight = channels::inflight_key(q.key);
    link& over = main_link(q.db);
    shard_.ask(
        over, resp::command({"ZADD", inflight, what.score, what.member}),
        [this, name, what](std::string_view reply) mutable {
            queue& at = *find(name);
            --at.asking;
            if (reply.empty() || reply.front() == '-') {
                broker::popped lost{at.key, broker::popped::where::sorted_set, {what.member}, {what.score}};
                shard_.put_back_later(at.db, std::move(lost), queue_ttl_ms);
                at.stale = true;
            } else {
                deliver(at, std::move(what));
                if (!at.line.empty()) ask(name);
            }
            tidy(name);
        });
    shard_.ask(over, resp::command({"PEXPIRE", inflight, std::to_string(queue_ttl_ms), "NX"}),
               [](std::string_view) {});
}

void receiver_pool::give_back(int db, std::string_view key, const message& what) {
    shard_.process.receives.forget(db, key, what.member);
    run(db, script::put_back, key, {"only", what.member},
        [this, db, key = std::string(key), what](std::string_view reply) {
            if (reply.empty() || reply.front() != ':') {
                // In K$inflight in any case, from where the next cleanup takes it.
                ++shard_.stats.count.put_backs_failed;
                return;
            }
            if (reply != ":0\r\n") ++shard_.stats.count.channels_put_backs;
            wake(db, key);
        });
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
    issue_from_ = shard_.now();
    if (!value->is_aggregate() || value->items.size() != 2 || value->items[1].items.size() != 1) return;
    auto taken = read_pair(value->items[1].items[0]);
    if (!taken) return;
    const std::string& key = value->items[0].text;
    const std::string name = name_of(db, key);
    const queue* q = find(name);
    if (q != nullptr && !q->line.empty()) return reserve(name, std::move(*taken));
    ++shard_.stats.count.channels_put_backs;
    broker::popped nobodys{key, broker::popped::where::sorted_set, {taken->member}, {taken->score}};
    shard_.put_back(db, std::move(nobodys), queue_ttl_ms);
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
