#include "broker/redis_facts.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "broker/observer_state.hpp"

namespace broker {
namespace {

constexpr std::size_t scans_per_gather = 10;
constexpr std::size_t binding_keys_max = 500;
constexpr std::size_t members_max = 2'000;
constexpr std::size_t reply_lists_max = 500;

std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string_view info_field(std::string_view info, std::string_view name) {
    const std::size_t at = info.find(std::string(name) + ":");
    if (at == std::string_view::npos) return {};
    const std::string_view rest = info.substr(at + name.size() + 1);
    return rest.substr(0, std::min(rest.find('\r'), rest.size()));
}

// Members of a set in as few steps as its size allows; false when it is too large.
bool read_set(redis_port& redis, const std::string& key, std::vector<std::string>& members) {
    std::string cursor = "0";
    do {
        const resp::value reply = redis.call({"SSCAN", key, cursor, "COUNT", "500"});
        if (reply.items.size() != 2) return false;
        for (const resp::value& each : reply.items[1].items) members.push_back(each.text);
        cursor = reply.items[0].text;
    } while (cursor != "0" && members.size() < members_max);
    return cursor == "0";
}

}  // namespace

redis_facts fact_gatherer::gather(const observer& from, std::uint8_t db, redis_port& redis,
                                  std::int64_t now_us) {
    redis_facts facts;
    read_settings(facts, redis, now_us);
    if (!facts.known) return facts;
    find_bindings(redis);
    read_bindings(facts, db, redis);
    read_leftovers(facts, from, db, redis);
    return facts;
}

void fact_gatherer::read_settings(redis_facts& into, redis_port& redis, std::int64_t now_us) {
    const std::vector<redis_command> commands{
        {"TIME"}, {"INFO", "memory"}, {"CONFIG", "GET", "appendonly"}, {"CONFIG", "GET", "save"}};
    const auto replies = redis.pipeline(commands);
    if (replies[0].items.size() != 2) return;
    into.known = true;
    const double seconds = static_cast<double>(number(replies[0].items[0].text)) +
                           static_cast<double>(number(replies[0].items[1].text)) / 1e6;
    into.clock_ahead_s = seconds - static_cast<double>(now_us) / 1e6;
    into.maxmemory_policy = info_field(replies[1].text, "maxmemory_policy");
    into.maxmemory = number(info_field(replies[1].text, "maxmemory"));
    into.used_memory = number(info_field(replies[1].text, "used_memory"));
    if (const auto* const value = replies[2].find("appendonly")) into.appendonly = value->text == "yes";
    if (const auto* const value = replies[3].find("save")) into.save = value->text;
}

// A slice of the key space at each call; what was found stays until it is found to be gone.
void fact_gatherer::find_bindings(redis_port& redis) {
    for (std::size_t step = 0; step < scans_per_gather; ++step) {
        const resp::value reply =
            redis.call({"SCAN", cursor_, "MATCH", "*_kombu.binding.*", "COUNT", "1000", "TYPE", "set"});
        if (reply.items.size() != 2) return;
        for (const resp::value& key : reply.items[1].items) {
            if (binding_keys_.size() < binding_keys_max) binding_keys_.insert(key.text);
        }
        cursor_ = reply.items[0].text;
        if (cursor_ == "0") return;
    }
}

void fact_gatherer::read_bindings(redis_facts& into, std::uint8_t db, redis_port& redis) {
    into.bindings_complete = cursor_ == "0" && binding_keys_.size() < binding_keys_max;
    for (auto key = binding_keys_.begin(); key != binding_keys_.end();) {
        std::vector<std::string> members;
        into.bindings_complete &= read_set(redis, *key, members);
        const key_role role = classify_key(*key);
        const broker_id broker{db, std::string(role.prefix)};
        if (role.kind == key_kind::binding) into.exchanges[broker].insert(std::string(role.name));
        for (const std::string& member : members) {
            const auto bound = parse_binding(member);
            if (!bound) continue;
            constexpr std::string_view ending = ".celery.pidbox";
            if (role.name == pidbox_exchange && bound->queue.ends_with(ending)) {
                into.mailboxes[broker].emplace(bound->queue.substr(0, bound->queue.size() - ending.size()));
            }
            into.bound[broker].emplace(bound->queue);
        }
        key = members.empty() ? binding_keys_.erase(key) : std::next(key);
    }
}

void fact_gatherer::read_leftovers(redis_facts& into, const observer& from, std::uint8_t db,
                                   redis_port& redis) {
    std::vector<left_list> lists;
    for (const auto& [at, list] : from.tables().replies) {
        if (at.first == db && list.pushed > list.popped) {
            lists.push_back({from.tables().names.broker_of(db, at.second), at.second});
        }
    }
    for (const auto& [broker, queues] : into.bound) {
        for (const std::string& queue : queues) {
            if (lists.size() >= reply_lists_max) break;
            if (!queue.ends_with(".reply.celery.pidbox")) continue;
            lists.push_back({broker, broker.prefix + queue});
        }
    }
    if (lists.size() > reply_lists_max) lists.resize(reply_lists_max);
    std::vector<redis_command> commands;
    for (const left_list& each : lists) {
        commands.push_back({"LLEN", each.key});
        commands.push_back({"PTTL", each.key});
    }
    const auto brokers = from.brokers();
    for (const broker_id& broker : brokers) {
        if (broker.db == db) commands.push_back({"PTTL", broker.prefix + "unacked_mutex"});
    }
    if (commands.empty()) return;
    const auto replies = redis.pipeline(commands);
    std::set<std::string> told;
    for (std::size_t i = 0; i < lists.size(); ++i) {
        if (replies[2 * i].type != resp::kind::integer || replies[2 * i].integer <= 0) continue;
        lists[i].length = static_cast<std::uint64_t>(replies[2 * i].integer);
        lists[i].expires = replies[2 * i + 1].integer >= 0;
        if (told.insert(lists[i].key).second) into.reply_lists.push_back(lists[i]);
    }
    std::size_t next = 2 * lists.size();
    for (const broker_id& broker : brokers) {
        if (broker.db != db) continue;
        const resp::value& ttl = replies[next++];
        if (ttl.type == resp::kind::integer && ttl.integer == -1) into.mutex_for_ever.insert(broker);
    }
}

}  // namespace broker
