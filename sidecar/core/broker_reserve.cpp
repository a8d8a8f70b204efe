// broker_gate: what is done for messages on their way into a worker's memory, until he has noted them.
#include <algorithm>
#include <utility>

#include "resp/value.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/broker_gate.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

using broker::popped;

namespace {

// A confirmation may still sit unread on another shard.
constexpr std::chrono::seconds orphan_grace{1};
constexpr std::size_t orphans_max = 100'000;
constexpr std::chrono::seconds reserve_interval{5};
constexpr std::chrono::milliseconds paced_interval{250};
constexpr std::string_view hashes_key = "__sidecar:br:hand-over";

}  // namespace

void broker_gate::asks_again(int db, std::uint64_t client) {
    load_hashes(db);
    for (auto& name : shard_.process.hand_overs.asks_again(client)) released_[db].push_back(std::move(name));
}

void broker_gate::client_gone(std::uint64_t client) {
    for (auto& orphan : shard_.process.hand_overs.client_gone(client)) {
        if (orphans_.size() >= orphans_max) return;
        const auto grace = draining_ ? time_point::duration{} : time_point::duration(orphan_grace);
        orphans_.push_back({shard_.now() + grace, std::move(orphan), client});
    }
}

void broker_gate::noted(int db, std::string_view hash, std::string_view tag) {
    auto told = shard_.process.hand_overs.confirmed(db, hash, tag);
    if (!told.reserved.empty()) released_[db].push_back(std::move(told.reserved));
    if (!told.new_hash) return;
    run({db, resp::command({"SADD", hashes_key, hash}), {}});
}

// Which applications note their deliveries is remembered beyond the life of a process.
void broker_gate::load_hashes(int db) {
    if (std::exchange(hashes_loaded_[db], true)) return;
    run({db, resp::command({"SMEMBERS", hashes_key}), [this, db](std::string_view reply) {
             const auto value = resp::parse_value(reply);
             if (!value) return;
             for (const auto& item : value->items) shard_.process.hand_overs.learn(db, item.text);
         }});
}

void broker_gate::put_back(const orphan_at& orphan) {
    const int db = orphan.what.db;
    auto copy = shard_.process.hand_overs.take_orphan(db, orphan.what.tag);
    if (!copy) return;
    broker::placing what;
    what.list = copy->key;
    what.end = copy->from_right ? broker::push_end::right : broker::push_end::left;
    what.message = copy->message;
    what.token = "__sidecar:place:" + next_name();
    what.reserved = copy->reserved;
    what.tag = copy->tag;
    what.unless_noted_in = shard_.process.hand_overs.hashes(db);
    const popped element{copy->key, popped::where::list_tail, {copy->message}, {}};
    const bool reserved = !copy->reserved.empty();
    run({db, broker::place_command(what),
         [this, db, element, reserved, client = orphan.client, tag = copy->tag](std::string_view reply) {
             if (reply != ":1\r\n") return;
             ++shard_.stats.count.broker_put_backs;
             tell({db, client, {}}, reserved ? broker::wire_kind::reserved_back : broker::wire_kind::put_back,
                  element, tag);
             shard_.nudge_pollers(db);
             shard_.log('i', "put back what a worker left",
                        {{"db", std::to_string(db)}, {"key", element.key}, {"tag", tag}});
         }});
}

void broker_gate::return_reserved(int db, const popped& what, std::string_view reserved) {
    put({db, 0, reserved}, what, what.key, {});
}

bool broker_gate::reserves(int db, const broker::blocking_call& call, std::uint64_t client) {
    const bool pops = call.kind == broker::blocking_kind::brpop || call.kind == broker::blocking_kind::blpop;
    return pops && shard_.settings().settings.broker.reserve && shard_.watches(db) &&
           shard_.process.hand_overs.follows_all(db, call.keys, client);
}

void broker_gate::finish_turn() {
    for (auto& [db, names] : released_) {
        if (names.empty()) continue;
        run({db, broker::release_command(names), {}});
        names.clear();
    }
}

// One shard speaks for the process.
void broker_gate::keep_reserve(time_point now) {
    if (shard_.index != 0 || now - kept_reserve_at_ < reserve_interval) return;
    kept_reserve_at_ = now;
    for (int db = 0; db < 16; ++db) {
        if (!shard_.watches(db)) continue;
        load_hashes(db);
        const auto hashes = shard_.process.hand_overs.hashes(db);
        link& over = shard_.shared_link(shard_.key_for(db, 2, shard_.default_role(), link_lane::main));
        shard_.ask(over, broker::restore_reserved_command(shard_.process.run_id, hashes),
                   [this](std::string_view reply) {
                       const auto value = resp::parse_value(reply);
                       if (!value || value->type != resp::kind::integer || value->integer <= 0) return;
                       const auto back = static_cast<std::uint64_t>(value->integer);
                       shard_.stats.count.broker_put_backs += back;
                       shard_.log('i', "put back what another sidecar had reserved",
                                  {{"messages", std::to_string(back)}});
                   });
    }
}

void broker_gate::release_paced() {
    if (shard_.index != 0 || !rules_) return;
    for (const auto& of_db : rules_->by_db) {
        const int db = of_db.first;
        const broker::db_rules& r = of_db.second;
        const auto waits = paced_wait_.try_emplace(db, true).first;
        if (r.task_rates.empty() && !waits->second) continue;
        std::vector<std::pair<std::string, std::int64_t>> budgets;
        for (const auto& [task, rate] : r.task_rates)
            budgets.emplace_back(task, static_cast<std::int64_t>(shard_.process.rates.available(
                                           db, "task " + task, rate, shard_.unix_time_us())));
        link& over = shard_.shared_link(shard_.key_for(db, 2, shard_.default_role(), link_lane::main));
        if (!over.ready()) continue;
        shard_.ask(over, broker::release_paced_command(budgets), [this, db](std::string_view reply) {
            if (!reply.starts_with(':')) return;
            paced_wait_[db] = reply != ":0\r\n";
            shard_.nudge_pollers(db);
        });
    }
}

void broker_gate::on_time(time_point now) {
    while (!orphans_.empty() && (draining_ || now >= orphans_.front().at)) {
        const orphan_at o = std::move(orphans_.front());
        orphans_.pop_front();
        put_back(o);
    }
    std::vector<errand> due;
    std::erase_if(errands_, [&](errand& e) {
        if (now < e.at) return false;
        due.push_back(std::move(e));
        return true;
    });
    for (auto& e : due) run(std::move(e));
    if (shard_.settings().settings.broker.reserve && !draining_) keep_reserve(now);
    if (now - released_paced_at_ < paced_interval) return;
    released_paced_at_ = now;
    release_paced();
}

}  // namespace sidecar
