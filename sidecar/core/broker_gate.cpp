#include "sidecar/core/broker_gate.hpp"

#include <algorithm>
#include <utility>

#include "broker/chord_part.hpp"
#include "broker/decode.hpp"
#include "broker/glance.hpp"
#include "broker/kombu_names.hpp"
#include "broker/revoked_result.hpp"
#include "resp/number.hpp"
#include "resp/value.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

using broker::fate;
using broker::popped;
using broker::wire_kind;

namespace {

constexpr int databases_max = 64;

constexpr std::chrono::milliseconds look_again_min{20};
constexpr std::chrono::milliseconds look_again_max{200};
constexpr std::chrono::milliseconds retry_interval{200};
constexpr int attempts_max = 3'000;
constexpr std::size_t errands_max = 10'000;
// Of a body that is opened on a worker's way to it.
broker::decode_limits limits_at_delivery() {
    broker::decode_limits limits;
    limits.element_bytes_max = limits.body_bytes_max = std::size_t{1} << 20;
    return limits;
}

constexpr std::string_view tag_name = "\"delivery_tag\"";

// kombu writes the tag behind everything else of size.
std::string tag_of(std::string_view message) {
    const std::size_t at = message.rfind(tag_name);
    if (at == std::string_view::npos) return {};
    std::string_view rest = message.substr(at + tag_name.size());
    const std::size_t open = rest.find_first_not_of(" :");
    if (open == std::string_view::npos || rest[open] != '"') return {};
    rest.remove_prefix(open + 1);
    const std::size_t close = rest.find('"');
    constexpr std::size_t tag_bytes_max = 256;
    return close > tag_bytes_max ? std::string{} : std::string(rest.substr(0, close));
}

broker::push_end end_of(const popped& what) {
    return what.from == popped::where::list_tail ? broker::push_end::right : broker::push_end::left;
}

bool is_answer(std::string_view reply) {
    return !reply.empty() && (reply.front() != '-' || reply.starts_with("-WRONGTYPE"));
}

}  // namespace

broker::blocking_call narrowed(const broker::blocking_call& call, const std::vector<std::string>& keys) {
    broker::blocking_call some = call;
    some.keys = keys;
    some.args = {call.args.front()};
    some.args.insert(some.args.end(), keys.begin(), keys.end());
    some.args.push_back(call.args.back());
    some.timeout_index = some.args.size() - 1;
    return some;
}

// --- which lists may be asked for

bool broker_gate::closes_queues(int db) const {
    const auto* r = rules(db);
    return r != nullptr && (!r->paused.empty() || !r->queue_rates.empty());
}

bool broker_gate::closed(int db, std::string_view key) const {
    const auto* r = rules(db);
    return r != nullptr && broker::find_queue(r->paused, key) != r->paused.end();
}

void broker_gate::set_rules(std::shared_ptr<const broker::delivery_rules> fresh) {
    rules_ = std::move(fresh);
    draining_dbs_ = 0;
    for (int db = 0; db < databases_max; ++db)
        if (const auto* r = rules(db); r != nullptr && !r->draining.empty())
            draining_dbs_ |= std::uint64_t{1} << db;
}

bool broker_gate::drains(int db, std::string_view key) const {
    const auto* r = rules(db);
    return r != nullptr && broker::find_queue(r->draining, key) != r->draining.end();
}

admission broker_gate::admit(int db, const std::vector<std::string>& keys) {
    admission given;
    const auto* r = rules(db);
    auto wait = look_again_max;
    std::map<std::string, bool, std::less<>> rated;  // queues with a rate: whether there was a token
    for (const auto& key : keys) {
        bool open = !closed(db, key);
        if (const auto rate = open ? broker::find_queue(r->queue_rates, key) : r->queue_rates.end();
            rate != r->queue_rates.end()) {
            auto [seen, fresh] = rated.try_emplace(rate->first, false);
            const std::int64_t now_us = shard_.unix_time_us();
            if (fresh) seen->second = shard_.process.rates.take(db, rate->first, rate->second, now_us);
            open = seen->second;
            if (fresh && open) given.tokens.push_back(rate->first);
            if (!open)
                wait = std::min(
                    wait, std::chrono::milliseconds(
                              shard_.process.rates.wait_us(db, rate->first, rate->second, now_us) / 1000));
        }
        if (open) given.keys.push_back(key);
        given.all = given.all && open;
    }
    given.look_again = shard_.now() + std::max(wait, look_again_min);
    return given;
}

void broker_gate::give_back(int db, const std::vector<std::string>& tokens, std::string_view popped_from) {
    for (const auto& queue : tokens)
        if (queue != popped_from && queue != broker::queue_of_list(popped_from))
            shard_.process.rates.give_back(db, queue);
}

// --- what becomes of a message

broker_gate::passage broker_gate::pass(const arrival& where, const popped& what) {
    if (what.from == popped::where::sorted_set || what.elements.size() != 1) return passage::deliver;
    if (closed(where.db, what.key)) {
        // Popped before the rule was known upstream: unseen by anybody.
        put(where, what, what.key, {});
        return passage::kept;
    }
    const auto* r = rules(where.db);
    const auto& settings = shard_.settings().settings.broker;
    if ((r != nullptr && r->looks_inside()) || settings.redeliveries_max > 0 || settings.dead_undecodable)
        return look_inside(where, what);
    return follow(where, what, tag_of(what.elements.front()));
}

broker_gate::passage broker_gate::look_inside(const arrival& where, const popped& what) {
    const std::string& message = what.elements.front();
    const auto& settings = shard_.settings().settings.broker;
    auto seen = broker::glance(broker::noted_part(message), message.size());
    if (!seen) {
        const bool ours = broker::classify_key(what.key).kind == broker::key_kind::list &&
                          shard_.process.hand_overs.follows_all(where.db, {what.key}, where.client);
        if (!settings.dead_undecodable || !ours) return follow(where, what, {});
        put(where, what, broker::dead_list(what.key), "undecodable");
        return passage::kept;
    }
    broker::message_head& head = seen->head;
    const auto* r = rules(where.db);
    if (r != nullptr && r->names_tasks()) broker::complete_head(head, message, limits_at_delivery());
    static const broker::db_rules none;
    const auto judged = broker::judge(r != nullptr ? *r : none, head);
    switch (judged.what) {
        case fate::deleted:
            trash(where, what, {}, head);
            return passage::kept;
        case fate::moved: {
            broker::placing mark;
            mark.forget_mark = head.tag;
            put(where, what, judged.reason, "moved", std::move(mark));
            return passage::kept;
        }
        case fate::revoked:
            return revoke(where, what, judged.reason, head);
        case fate::held:
            put(where, what, broker::held_list(what.key), "held");
            return passage::kept;
        case fate::deliver:
            break;
    }
    if (r != nullptr) {
        const auto rate = r->task_rates.find(head.task);
        if (rate != r->task_rates.end() &&
            !shard_.process.rates.take(where.db, "task " + head.task, rate->second, shard_.unix_time_us())) {
            broker::placing paced;
            paced.paced_task = head.task;
            put(where, what, broker::paced_list(head.task), "paced", std::move(paced));
            return passage::kept;
        }
    }
    if (settings.redeliveries_max > 0 && head.redelivered && !head.tag.empty() &&
        broker::classify_key(what.key).kind == broker::key_kind::list &&
        !shard_.process.hand_overs.spend(where.db, head.tag)) {
        count_redelivery(where, what, head.tag);
        return passage::kept;
    }
    return follow(where, what, head.tag);
}

// Into the trash; a chord's part is left to a worker to refuse.
broker_gate::passage broker_gate::revoke(const arrival& where, const popped& what, const std::string& reason,
                                         const broker::message_head& head) {
    if (head.expires == broker::expired_by_revocation) return follow(where, what, head.tag);
    auto expired = broker::expired_chord_part(what.elements.front(), limits_at_delivery());
    if (expired) {
        popped changed = what;
        changed.elements.front() = std::move(*expired);
        put(where, changed, what.key, {});
    } else {
        trash(where, what, "revoked: " + reason, head);
    }
    return passage::kept;
}

// A message that was delivered before waits for its count: it goes on to its list, or to the dead letters.
void broker_gate::count_redelivery(const arrival& where, const popped& what, const std::string& tag) {
    const std::string reserved(where.reserved);
    run({where.db, broker::count_redelivery_command(tag),
         [this, db = where.db, client = where.client, reserved, what, tag](std::string_view reply) {
             const auto count = resp::parse_value(reply);
             const auto most = shard_.settings().settings.broker.redeliveries_max;
             const arrival again{db, client, reserved};
             if (most > 0 && count && count->integer > static_cast<std::int64_t>(most))
                 return put(again, what, broker::dead_list(what.key), "dead");
             shard_.process.hand_overs.allow(db, tag);
             put(again, what, what.key, {});
         }});
}

broker_gate::passage broker_gate::follow(const arrival& where, const popped& what, std::string tag) {
    using outcome = broker::hand_over::outcome;
    if (tag.empty()) return passage::deliver;
    broker::hand_over::copy kept{what.key, std::move(tag), what.elements.front(), std::string(where.reserved),
                                 what.from == popped::where::list_tail};
    const auto done = shard_.process.hand_overs.delivered(where.db, std::move(kept), where.client);
    if (done == outcome::followed) ++shard_.stats.count.broker_followed;
    if (done == outcome::no_room) ++shard_.stats.count.broker_not_followed;
    if (done != outcome::followed && !where.reserved.empty())
        released_[where.db].emplace_back(where.reserved);
    return done == outcome::followed ? passage::followed : passage::deliver;
}

void broker_gate::tell(const arrival& where, wire_kind kind, const popped& what, std::string_view rule) {
    broker::wire_note note;
    note.kind = kind;
    note.db = static_cast<std::uint8_t>(where.db);
    note.client = where.client;
    note.at_us = shard_.unix_time_us();
    note.key = what.key;
    note.extra = rule;
    broker::set_message(note, &broker::wire_note::text, what.elements.front());
    shard_.tap.tell(note);
}

// Into a list by the left, or back where it came from.
void broker_gate::put(const arrival& where, const popped& from, std::string target, std::string_view rule,
                      broker::placing extra) {
    const bool back = target == from.key;
    extra.list = std::move(target);
    extra.end = back ? end_of(from) : broker::push_end::left;
    if (extra.paced_task.empty()) {
        extra.message = from.elements.front();
    } else {
        extra.message = from.key + '\0' + from.elements.front();
    }
    extra.token = "__sidecar:place:" + next_name();
    extra.reserved = where.reserved;
    if (!rule.empty()) {
        ++shard_.stats.count.broker_withheld;
        tell(where, wire_kind::withheld, from, rule);
    }
    run({where.db, broker::place_command(extra), {}});
}

void broker_gate::trash(const arrival& where, const popped& from, std::string_view why,
                        const broker::message_head& head) {
    const auto ttl =
        std::chrono::duration_cast<std::chrono::seconds>(shard_.settings().settings.broker.trash_ttl);
    broker::trashing what;
    if (!why.empty()) what.id = next_name();
    what.list = from.key;
    what.message = from.elements.front();
    what.why = why;
    what.reserved = where.reserved;
    what.tag = head.tag;
    what.now_s = shard_.unix_time();
    what.expires_s = what.now_s + ttl.count();
    auto result = why.empty() ? std::nullopt : broker::revoked_result(head, shard_.unix_time_us());
    if (result) {
        what.result_key = std::move(result->key);
        what.result = std::move(result->value);
    }
    ++shard_.stats.count.broker_withheld;
    tell(where, wire_kind::withheld, from, why.empty() ? "deleted" : "revoked");
    run({where.db, broker::trash_command(what), {}});
}

std::string broker_gate::next_name() {
    return shard_.process.run_id + ":" +
           std::to_string(shard_.process.next_put_back.fetch_add(1, std::memory_order_relaxed));
}

void broker_gate::run(errand what) {
    if (what.attempt >= attempts_max || errands_.size() >= errands_max) {
        ++shard_.stats.count.put_backs_dropped;
        shard_.log('e', "a message could not be put aside", {{"db", std::to_string(what.db)}});
        return;
    }
    link& over = shard_.shared_link(shard_.key_for(what.db, 2, shard_.default_role(), link_lane::main));
    ++under_way_;
    const std::string bytes = what.command;
    shard_.ask(over, bytes, [this, what = std::move(what)](std::string_view reply) mutable {
        --under_way_;
        if (is_answer(reply)) {
            if (what.done) what.done(reply);
            return;
        }
        ++what.attempt;
        what.at = shard_.now() + retry_interval;
        errands_.push_back(std::move(what));
    });
}

}  // namespace sidecar
