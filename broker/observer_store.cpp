#include "broker/observer_store.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

#include "broker/broker_layout.hpp"
#include "broker/glance.hpp"
#include "broker/observer_state.hpp"

namespace broker {
namespace {

constexpr std::size_t buckets = 64;
constexpr std::size_t fields_per_command = 500;
constexpr std::size_t changes_per_save = 20'000;
constexpr std::size_t scans_per_load = 20;
constexpr std::size_t lists_per_measure = 500;
constexpr std::size_t heads_per_measure = 100;
constexpr std::int64_t heads_every_us = 5'000'000;
// A head larger than this is not fetched: its age stays unknown.
constexpr std::uint64_t head_bytes_max = 1 << 20;
constexpr std::string_view kept_s = "604800";

std::string bucket_key(std::size_t bucket) {
    constexpr std::string_view digits = "0123456789abcdef";
    return std::string(own_keys) + "seen:" + digits[bucket / 16] + digits[bucket % 16];
}

std::size_t bucket_of(std::string_view tag) {
    return tag_key_hash{}(key_of(tag)) % buckets;
}

std::string redelivered_key() {
    return std::string(own_keys) + "redelivered";
}

std::optional<std::int64_t> integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Splits one command of many fields into several.
class field_batch {
public:
    field_batch(std::string verb, std::string key) : start_{std::move(verb), std::move(key)} {}

    void add(std::initializer_list<std::string> fields) {
        if (commands_.empty() || count_ == fields_per_command) {
            commands_.push_back(start_);
            count_ = 0;
        }
        commands_.back().insert(commands_.back().end(), fields);
        ++count_;
    }
    [[nodiscard]] const std::vector<redis_command>& commands() const { return commands_; }

private:
    redis_command start_;
    std::vector<redis_command> commands_;
    std::size_t count_ = 0;
};

}  // namespace

void observer_store::run(redis_port& redis, const std::vector<redis_command>& commands) {
    if (commands.empty()) return;
    for (const resp::value& reply : redis.pipeline(commands)) counts_.failures += is_error(reply);
}

bool observer_store::load(observer& into, redis_port& redis, std::int64_t now_us) {
    if (loaded_) return true;
    observer::state& at = into.tables();
    const std::int64_t oldest_us = now_us - at.limits.message_forget_us;
    for (std::size_t step = 0; step < scans_per_load && bucket_ < buckets; ++step) {
        const resp::value reply = redis.call({"HSCAN", bucket_key(bucket_), cursor_, "COUNT", "1000"});
        if (reply.items.size() != 2) {
            ++counts_.failures;
            return false;
        }
        const auto& fields = reply.items[1].items;
        for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
            const auto ms = integer(fields[i + 1].text);
            if (!ms || *ms * 1'000 < oldest_us) continue;
            at.times.restore(fields[i].text, *ms * 1'000);
            ++counts_.times_loaded;
        }
        cursor_ = reply.items[0].text;
        if (cursor_ == "0") ++bucket_;
    }
    if (bucket_ < buckets) return false;
    if (!redeliveries_loaded_) {
        const resp::value reply = redis.call({"HSCAN", redelivered_key(), "0", "COUNT", "1000"});
        if (reply.items.size() == 2) {
            const auto& fields = reply.items[1].items;
            for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
                const auto count = integer(fields[i + 1].text);
                if (!count || *count < 0) continue;
                redelivery_record& record = at.redelivered[key_of(fields[i].text)];
                record.tag = fields[i].text;
                record.count += static_cast<std::uint64_t>(*count);
            }
        }
        redeliveries_loaded_ = true;
    }
    loaded_ = true;
    return true;
}

void observer_store::save(observer& from, redis_port& redis, std::int64_t /*now_us*/) {
    save_times(from, redis);
    save_redeliveries(from, redis);
    look_up(from, redis);
}

void observer_store::save_times(observer& from, redis_port& redis) {
    std::map<std::size_t, field_batch> written;
    std::map<std::size_t, field_batch> removed;
    for (const enqueue_times::change& each : from.tables().times.take_changes(changes_per_save)) {
        const std::size_t bucket = bucket_of(each.tag);
        if (each.enqueued_us == 0) {
            removed.try_emplace(bucket, "HDEL", bucket_key(bucket)).first->second.add({each.tag});
            ++counts_.times_removed;
        } else {
            written.try_emplace(bucket, "HSET", bucket_key(bucket))
                .first->second.add({each.tag, std::to_string(each.enqueued_us / 1'000)});
            ++counts_.times_written;
        }
    }
    std::vector<redis_command> commands;
    for (const auto& [bucket, batch] : written) {
        commands.insert(commands.end(), batch.commands().begin(), batch.commands().end());
        commands.push_back({"EXPIRE", bucket_key(bucket), std::string(kept_s)});
    }
    for (const auto& [bucket, batch] : removed) {
        commands.insert(commands.end(), batch.commands().begin(), batch.commands().end());
    }
    run(redis, commands);
}

void observer_store::save_redeliveries(observer& from, redis_port& redis) {
    observer::state& at = from.tables();
    std::vector<redis_command> commands;
    for (auto& [key, record] : at.redelivered) {
        if (commands.size() >= 1'000) break;
        if (record.untold == 0) continue;
        commands.push_back({"HINCRBY", redelivered_key(), record.tag, std::to_string(record.untold)});
        record.untold = 0;
    }
    field_batch removed("HDEL", redelivered_key());
    for (const std::string& tag : at.redelivered_done) removed.add({tag});
    at.redelivered_done.clear();
    commands.insert(commands.end(), removed.commands().begin(), removed.commands().end());
    if (!commands.empty()) commands.push_back({"EXPIRE", redelivered_key(), std::string(kept_s)});
    run(redis, commands);
}

void observer_store::look_up(observer& into, redis_port& redis) {
    observer::state& at = into.tables();
    std::map<std::size_t, std::pair<redis_command, std::vector<std::string>>> asked;
    for (std::string& tag : std::exchange(at.asked_tags, {})) {
        if (at.times.find(tag) != nullptr || at.unacked.find(tag) == nullptr) continue;
        auto& [command, tags] = asked[bucket_of(tag)];
        if (tags.size() >= fields_per_command) continue;
        if (command.empty()) command = {"HMGET", bucket_key(bucket_of(tag))};
        command.push_back(tag);
        tags.push_back(std::move(tag));
    }
    if (asked.empty()) return;
    std::vector<redis_command> commands;
    commands.reserve(asked.size());
    for (const auto& [bucket, each] : asked) commands.push_back(each.first);
    const auto replies = redis.pipeline(commands);
    std::size_t number = 0;
    for (const auto& [bucket, each] : asked) {
        const resp::value& reply = replies[number++];
        counts_.failures += is_error(reply);
        for (std::size_t i = 0; i < std::min(reply.items.size(), each.second.size()); ++i) {
            const auto ms = integer(reply.items[i].text);
            if (!ms) continue;
            at.times.restore(each.second[i], *ms * 1'000);
            ++counts_.times_found;
        }
    }
}

void observer_store::measure(observer& into, std::uint8_t db, redis_port& redis, std::int64_t now_us) {
    observer::state& at = into.tables();
    std::vector<redis_command> commands;
    std::vector<std::size_t> asked;
    for (std::size_t i = 0; i < at.lists.size() && asked.size() < lists_per_measure; ++i) {
        const std::size_t number = next_list_ % at.lists.size();
        ++next_list_;
        if (at.lists[number].db != db) continue;
        commands.push_back({"LLEN", at.lists[number].key});
        asked.push_back(number);
    }
    const auto known = into.brokers();
    for (const broker_id& broker : known) {
        if (broker.db == db) commands.push_back({"HLEN", at.names.unacked_key(broker)});
    }
    if (commands.empty()) return;
    const auto replies = redis.pipeline(commands);
    for (std::size_t i = 0; i < asked.size(); ++i) {
        if (replies[i].type != resp::kind::integer) continue;
        const list_record& list = at.lists[asked[i]];
        into.on_depth(db, list.key, static_cast<std::uint64_t>(replies[i].integer), std::nullopt, now_us);
    }
    std::size_t next = asked.size();
    for (const broker_id& broker : known) {
        if (broker.db != db) continue;
        const resp::value& reply = replies[next++];
        if (reply.type == resp::kind::integer)
            at.unacked_depths[broker] = static_cast<std::uint64_t>(reply.integer);
    }
    measure_heads(into, db, redis, now_us);
}

// Only where the head is in doubt every second; all others now and then.
void observer_store::measure_heads(observer& into, std::uint8_t db, redis_port& redis, std::int64_t now_us) {
    observer::state& at = into.tables();
    const bool all = now_us - heads_us_ >= heads_every_us;
    if (all) heads_us_ = now_us;
    std::vector<std::size_t> wanted;
    std::vector<redis_command> sizes;
    for (std::size_t number = 0; number < at.lists.size() && wanted.size() < heads_per_measure; ++number) {
        const list_record& list = at.lists[number];
        if (list.db != db || list.depth.value_or(0) == 0) continue;
        if (!all && !list.head_unknown) continue;
        wanted.push_back(number);
        sizes.push_back({"MEMORY", "USAGE", list.key, "SAMPLES", "5"});
    }
    if (wanted.empty()) return;
    const auto measured = redis.pipeline(sizes);
    std::vector<redis_command> commands;
    std::vector<std::size_t> asked;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const list_record& list = at.lists[wanted[i]];
        const bool told = measured[i].type == resp::kind::integer;
        const std::uint64_t each = told ? static_cast<std::uint64_t>(measured[i].integer) / *list.depth : 0;
        if (std::max(each, list.bytes_max) > head_bytes_max) continue;
        commands.push_back({"LINDEX", list.key, "-1"});
        asked.push_back(wanted[i]);
    }
    if (commands.empty()) return;
    const auto heads = redis.pipeline(commands);
    for (std::size_t i = 0; i < asked.size(); ++i) {
        if (!heads[i].is_text()) continue;
        const auto seen = glance(heads[i].text);
        const list_record& list = at.lists[asked[i]];
        into.on_depth(db, list.key, *list.depth, seen ? seen->head.tag : std::string("?"), now_us);
    }
}

}  // namespace broker
