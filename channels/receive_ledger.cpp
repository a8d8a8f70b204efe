#include "channels/receive_ledger.hpp"

#include <algorithm>
#include <functional>

#include "channels/core_layer.hpp"

namespace channels {
namespace {

constexpr std::size_t queues_max = 100'000;
constexpr std::size_t settled_max = 10'000;
constexpr std::int64_t queue_idle_ms_max = 120'000;
// A receive takes a few round trips; one that does not end for so long protects its message no more.
constexpr std::int64_t receive_ms_max = 60'000;
constexpr std::size_t entry_overhead_bytes = 200;

std::size_t cost_of(const receive_ledger::message& what) {
    return what.member.size() + what.score.size() + entry_overhead_bytes;
}

std::size_t hash_of(std::string_view member) {
    return std::hash<std::string_view>{}(member);
}

}  // namespace

receive_ledger::queue* receive_ledger::find(std::string_view key) {
    const auto it = queues_.find(std::string(key));
    return it == queues_.end() ? nullptr : &it->second;
}

receive_ledger::entries_at receive_ledger::find_member(queue& q, std::string_view member) {
    return std::find_if(q.entries.begin(), q.entries.end(),
                        [&](const entry& e) { return e.what.member == member; });
}

receive_ledger::entries_at receive_ledger::erase(queue& q, entries_at at) {
    bytes_ -= cost_of(at->what);
    --entries_;
    return q.entries.erase(at);
}

void receive_ledger::note_settled(std::string_view member) {
    if (!settled_.insert(hash_of(member)).second) return;
    settled_order_.push_back(hash_of(member));
    if (settled_order_.size() <= settled_max) return;
    settled_.erase(settled_order_.front());
    settled_order_.pop_front();
}

receive_ledger::cleanup_verdict receive_ledger::cleanup(std::string_view key, receiver_id by,
                                                        std::int64_t now_ms) {
    if (queues_.size() >= queues_max && find(key) == nullptr) return {};
    queue& q = queues_[std::string(key)];
    q.cleaned_ms = now_ms;
    cleanup_verdict verdict;
    // The one reader of a process's queue has one receive at a time; of a normal channel's readers only the
    // connection is known.
    const bool all_over = has_one_reader(key);
    for (auto it = q.entries.begin(); it != q.entries.end();) {
        const bool over =
            all_over || it->popped_by == by || it->orphaned || now_ms - it->since_ms > receive_ms_max;
        if (!over) {
            verdict.forward = false;
            ++it;
            continue;
        }
        note_settled(it->what.member);
        if (all_over || it->confirmed_by != 0) {
            ++verdict.in_flight;
        } else {
            verdict.unconfirmed.push_back(it->what);
        }
        it = erase(q, it);
    }
    return verdict;
}

bool receive_ledger::delivered(std::string_view key, message what, receiver_id to, std::int64_t now_ms) {
    settled_.erase(hash_of(what.member));
    if (bytes_ + cost_of(what) > bytes_max_) return false;
    if (queues_.size() >= queues_max && find(key) == nullptr) return false;
    queue& q = queues_[std::string(key)];
    if (q.cleaned_ms == 0) q.cleaned_ms = now_ms;
    if (const auto old = find_member(q, what.member); old != q.entries.end()) erase(q, old);
    bytes_ += cost_of(what);
    ++entries_;
    q.entries.push_back({std::move(what), to, 0, now_ms, false});
    auto& keys = keys_of_[to];
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.emplace_back(key);
    return true;
}

receive_ledger::confirmation receive_ledger::confirm(std::string_view key, std::string_view member,
                                                     receiver_id by) {
    if (queue* q = find(key)) {
        if (const auto it = find_member(*q, member); it != q->entries.end()) {
            it->confirmed_by = by;
            it->orphaned = false;
            return confirmation::known;
        }
    }
    return settled_.contains(hash_of(member)) ? confirmation::settled : confirmation::unknown;
}

std::optional<receive_ledger::message> receive_ledger::clean(std::string_view key, receiver_id by) {
    queue* q = find(key);
    if (q == nullptr) return std::nullopt;
    const auto confirmed_by = [&](receiver_id who) {
        return std::find_if(q->entries.begin(), q->entries.end(), [&](const entry& e) {
            return e.confirmed_by != 0 && (who == 0 || e.confirmed_by == who);
        });
    };
    auto it = confirmed_by(by);
    if (it == q->entries.end()) it = confirmed_by(0);
    if (it == q->entries.end()) return std::nullopt;
    message what = it->what;
    note_settled(what.member);
    erase(*q, it);
    return what;
}

std::vector<receive_ledger::orphan> receive_ledger::receiver_gone(receiver_id who) {
    std::vector<orphan> orphans;
    const auto known = keys_of_.find(who);
    if (known == keys_of_.end()) return orphans;
    for (const std::string& key : known->second) {
        queue* q = find(key);
        if (q == nullptr) continue;
        for (entry& e : q->entries) {
            if (e.popped_by != who || e.confirmed_by != 0) continue;
            e.orphaned = true;
            orphans.push_back({key, e.what});
        }
    }
    keys_of_.erase(known);
    return orphans;
}

bool receive_ledger::take_orphan(std::string_view key, std::string_view member) {
    queue* q = find(key);
    if (q == nullptr) return false;
    const auto it = find_member(*q, member);
    if (it == q->entries.end() || !it->orphaned) return false;
    note_settled(member);
    erase(*q, it);
    return true;
}

void receive_ledger::forget(std::string_view key, std::string_view member) {
    queue* q = find(key);
    if (q == nullptr) return;
    if (const auto it = find_member(*q, member); it != q->entries.end()) erase(*q, it);
}

void receive_ledger::sweep(std::int64_t now_ms) {
    for (auto it = queues_.begin(); it != queues_.end();) {
        queue& q = it->second;
        if (now_ms - q.cleaned_ms <= queue_idle_ms_max) {
            ++it;
            continue;
        }
        while (!q.entries.empty()) erase(q, q.entries.begin());
        it = queues_.erase(it);
    }
}

}  // namespace channels
