// Findings about what Redis holds and how it is set.

#include <boost/json/array.hpp>
#include <cmath>
#include <set>

#include "broker/findings.hpp"
#include "broker/observer_state.hpp"

namespace broker {
namespace {

namespace json = boost::json;

constexpr std::size_t examples_max = 20;
constexpr std::int64_t watched_us = 15'000'000;

void about_settings(std::uint8_t db, const redis_facts& facts, std::vector<finding>& into) {
    if (!facts.maxmemory_policy.empty() && facts.maxmemory_policy != "noeviction") {
        const bool all_keys = facts.maxmemory_policy.starts_with("allkeys");
        const severity level = facts.maxmemory == 0 ? severity::info
                               : all_keys           ? severity::critical
                                                    : severity::warning;
        finding found{"eviction-policy", level, {db, {}}, facts.maxmemory_policy, {}, {}, {}};
        found.title =
            all_keys ? "Redis may evict queues, unacked messages and bindings when its memory is full"
                     : "Redis may evict keys with a TTL when its memory is full: results and sidecar records";
        found.remedy =
            "CONFIG SET maxmemory-policy noeviction for the broker's Redis, or a Redis of its own.";
        found.evidence = {{"maxmemory_policy", facts.maxmemory_policy},
                          {"maxmemory", facts.maxmemory},
                          {"used_memory", facts.used_memory}};
        into.push_back(std::move(found));
    }
    if (facts.maxmemory > 0 && facts.used_memory > facts.maxmemory / 10 * 9) {
        finding found{"memory-full", severity::critical, {db, {}}, {}, {}, {}, {}};
        found.title = "Redis is close to its memory limit: publishing will fail";
        found.remedy = "Raise maxmemory, consume or purge queues, shorten result_expires.";
        found.evidence = {{"used_memory", facts.used_memory}, {"maxmemory", facts.maxmemory}};
        into.push_back(std::move(found));
    }
    if (!facts.appendonly && facts.save.empty()) {
        finding found{"no-persistence", severity::info, {db, {}}, {}, {}, {}, {}};
        found.title = "Redis writes nothing to disk: queues are lost when it restarts";
        found.remedy = "appendonly yes for the broker's Redis, unless the tasks may be lost.";
        found.evidence = {{"appendonly", "no"}, {"save", ""}};
        into.push_back(std::move(found));
    }
    if (facts.clock_ahead_s && std::abs(*facts.clock_ahead_s) > 2) {
        finding found{"clock-skew", severity::warning, {db, {}}, "redis", {}, {}, {}};
        found.title = "Redis's clock and the sidecar's differ";
        found.remedy = "Synchronise the hosts' clocks.";
        found.evidence = {{"skew_seconds", std::round(*facts.clock_ahead_s * 10) / 10}};
        into.push_back(std::move(found));
    }
}

void stale_mailboxes(const observer& from, const redis_facts& facts, std::vector<finding>& into) {
    std::set<std::pair<broker_id, std::string>> alive;
    for (const worker_view& each : from.workers()) {
        if (each.state != liveness::gone && each.state != liveness::offline)
            alive.insert({each.broker, each.node});
    }
    for (const auto& [broker, nodes] : facts.mailboxes) {
        json::array stale;
        for (const std::string& node : nodes) {
            if (!alive.contains({broker, node}) && stale.size() < examples_max) stale.emplace_back(node);
        }
        if (stale.empty()) continue;
        finding found{"stale-pidbox", severity::info, broker, {}, {}, {}, {}};
        found.title = "Mailboxes of workers that are gone are still bound; inspect waits for them in vain";
        found.remedy =
            "SREM their members from _kombu.binding.celery.pidbox once it is sure that they are gone.";
        found.evidence = {{"nodes", std::move(stale)}};
        into.push_back(std::move(found));
    }
}

void missing_bindings(const observer& from, std::uint8_t db, const redis_facts& facts,
                      std::vector<finding>& into) {
    if (!facts.bindings_complete) return;
    for (const queue_view& queue : from.queues()) {
        if (queue.broker.db != db || queue.consumers.empty() || queue.broadcast) continue;
        const auto bound = facts.bound.find(queue.broker);
        if (bound != facts.bound.end() && bound->second.contains(queue.name)) continue;
        finding found{"missing-binding", severity::critical, queue.broker, queue.name, {}, {}, {}};
        found.title =
            "A queue that workers consume is in no binding: what is routed to it through an exchange is "
            "lost, "
            "restores included";
        found.remedy =
            "Restart one of its workers, which declares it again; see that nothing evicts or deletes "
            "_kombu.binding.* keys.";
        found.evidence = {{"consumers", queue.consumers.size()}, {"bindings_read", facts.exchanges.size()}};
        into.push_back(std::move(found));
    }
}

}  // namespace

void find_in_redis(const observer& from, std::uint8_t db, const redis_facts& facts, std::int64_t now_us,
                   std::vector<finding>& into) {
    if (!facts.known) return;
    about_settings(db, facts, into);
    // What has not been heard of may not have had the time to be.
    if (from.watching_since_us() != 0 && now_us - from.watching_since_us() > watched_us) {
        stale_mailboxes(from, facts, into);
        missing_bindings(from, db, facts, into);
    }
    for (const broker_id& broker : facts.mutex_for_ever) {
        finding found{
            "mutex-without-ttl", severity::critical, broker, broker.prefix + "unacked_mutex", {}, {}, {}};
        found.title = "The lock of the visibility sweep never expires: nothing is restored any more";
        found.remedy = "DEL the key; it is taken anew at the next sweep.";
        found.evidence = {{"pttl", -1}};
        into.push_back(std::move(found));
    }
    std::uint64_t replies = 0;
    json::array examples;
    broker_id owner{db, {}};
    for (const left_list& each : facts.reply_lists) {
        const auto seen = from.tables().replies.find({db, each.key});
        const bool recent = seen != from.tables().replies.end() && now_us - seen->second.last_us < 60'000'000;
        if (each.expires || recent) continue;
        replies += each.length;
        owner = each.broker;
        if (examples.size() < examples_max)
            examples.push_back(json::object{{"key", each.key}, {"length", each.length}});
    }
    if (examples.empty()) return;
    finding found{"leaked-reply-lists", severity::warning, owner, {}, {}, {}, {}};
    found.title =
        "Replies to remote control or rpc results lie in lists without TTL that nobody reads any more";
    found.remedy = "Delete the lists; close inspectors properly, use a result backend instead of rpc://.";
    found.evidence = {{"replies", replies}, {"lists", std::move(examples)}};
    into.push_back(std::move(found));
}

}  // namespace broker
