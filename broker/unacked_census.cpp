#include "broker/unacked_census.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "broker/glance.hpp"
#include "broker/observer_state.hpp"

namespace broker {
namespace {

constexpr std::size_t tags_at_once = 1'000;
constexpr std::size_t read_at_once = 100;

// The ends of messages, by which they tell their queue: {size, end, ...}. Large ones stay closed.
// KEYS: unacked. ARGV: tags.
constexpr std::string_view ends_script = R"(local found, read = {}, 0
for _, tag in ipairs(ARGV) do
  local size = redis.call('HSTRLEN', KEYS[1], tag)
  local ending = ''
  if size <= 262144 and read < 1000000 then
    ending = string.sub(redis.call('HGET', KEYS[1], tag) or '', -8192)
    read = read + size
  end
  found[#found + 1] = size
  found[#found + 1] = ending
end
return found)";

}  // namespace

std::uint64_t unacked_counts::of(std::string_view queue) const {
    std::uint64_t sum = 0;
    if (const auto found = by_queue.find(queue); found != by_queue.end())
        for (const auto& [state, count] : found->second) sum += count;
    return sum;
}

struct unacked_census::walk {
    const broker_layout& layout;
    observer& seen;
    const broker_id& broker;
    const router& queue_of;
    std::int64_t now_us;
    unacked_counts counts{};
    std::unordered_set<tag_key, tag_key_hash> met{};
    std::size_t reads = 0;
    bool to_the_end = false;
};

const unacked_counts& unacked_census::take(const broker_layout& layout, observer& seen,
                                           const broker_id& broker, const router& queue_of,
                                           std::int64_t now_us) {
    entry& known = taken_[layout.prefix];
    if (now_us < known.due_us) return known.counts;
    walk on{layout, seen, broker, queue_of, now_us};
    const auto total = redis_.call({"HLEN", layout.unacked});
    if (total.type != resp::kind::integer || !walk_index(on)) {
        known = {};
        return known.counts;
    }
    on.counts.total = static_cast<std::uint64_t>(total.integer);
    on.counts.complete = on.to_the_end;
    if (on.to_the_end) forget_settled(on);
    known.due_us =
        now_us + limits_.fresh_us + static_cast<std::int64_t>(on.met.size()) * limits_.fresh_us_per_tag;
    known.counts = std::move(on.counts);
    return known.counts;
}

// False: Redis is away. Behind the last score so many of the same are skipped that were met before.
bool unacked_census::walk_index(walk& on) {
    std::string from = "-inf";
    std::size_t same = 0;
    const auto timeout_s = on.seen.visibility_timeout_s(on.broker);
    auto& tables = on.seen.tables();
    while (on.met.size() < limits_.tags_max) {
        const auto reply = redis_.call({"ZRANGEBYSCORE", on.layout.unacked_index, from, "+inf", "WITHSCORES",
                                        "LIMIT", std::to_string(same), std::to_string(tags_at_once)});
        if (reply.type != resp::kind::array) return false;
        std::vector<std::string> unseen;
        for (std::size_t i = 0; i + 1 < reply.items.size(); i += 2) {
            const std::string& tag = reply.items[i].text;
            const std::string& score = reply.items[i + 1].text;
            same = score == from ? same + 1 : 1;
            from = score;
            if (!on.met.insert(key_of(tag)).second) continue;
            const held_message* const held = std::as_const(tables.unacked).find(tag);
            if (held != nullptr && held->list) {
                const auto state = tables.state_of(*held, timeout_s);
                ++on.counts.by_queue[tables.name_of(tables.lists[*held->list]).queue][state];
            } else if (const auto known = queues_.find(key_of(tag)); known != queues_.end()) {
                ++on.counts.by_queue[known->second][unacked_state::unknown];
            } else {
                unseen.push_back(tag);
            }
        }
        read_unseen(on, unseen);
        if (reply.items.size() < 2 * tags_at_once) {
            on.to_the_end = true;
            return true;
        }
    }
    return true;
}

void unacked_census::read_unseen(walk& on, const std::vector<std::string>& tags) {
    if (queues_.size() + tags.size() > limits_.memory_max) queues_.clear();
    for (std::size_t begin = 0; begin < tags.size(); begin += read_at_once) {
        const std::size_t end = std::min(begin + read_at_once, tags.size());
        if (on.reads >= limits_.reads_max) {
            on.counts.by_queue[""][unacked_state::unknown] += tags.size() - begin;
            return;
        }
        redis_command command{"EVAL", std::string(ends_script), "1", on.layout.unacked};
        command.insert(command.end(), tags.begin() + static_cast<std::ptrdiff_t>(begin),
                       tags.begin() + static_cast<std::ptrdiff_t>(end));
        on.reads += end - begin;
        const auto reply = redis_.call(command);
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t at = 2 * (i - begin);
            std::string queue;
            if (at + 1 < reply.items.size()) {
                const auto size = static_cast<std::uint64_t>(reply.items[at].integer);
                if (const auto read = glance(reply.items[at + 1].text, size)) {
                    queue = on.queue_of(read->head.exchange, read->head.routing_key);
                    queues_[key_of(tags[i])] = queue;
                }
            }
            ++on.counts.by_queue[queue][unacked_state::unknown];
        }
    }
}

void unacked_census::forget_settled(const walk& on) {
    std::vector<std::string> gone;
    auto& tables = on.seen.tables();
    tables.unacked.for_each([&](const held_message& held) {
        if (held.noted_by == 0 || held.hash != on.layout.unacked || held.db != on.broker.db) return;
        if (held.noted_us < on.now_us - limits_.settled_us && !on.met.contains(key_of(held.tag)))
            gone.push_back(held.tag);
    });
    for (const auto& tag : gone) on.seen.forget_unacked(tag);
}

}  // namespace broker
