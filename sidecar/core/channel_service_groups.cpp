// Groups: who is a member, messages to all of them, and what Redis knows of them.
#include <algorithm>
#include <atomic>

#include "resp/writer.hpp"
#include "sidecar/core/channel_group_call.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

namespace {

constexpr std::string_view unavailable = "UNAVAILABLE Redis could not be asked";
constexpr std::string_view unknown = "UNKNOWN Redis did not answer: it may have been done or not";

void append_number(std::string& out, std::string_view name, std::uint64_t value) {
    resp::append_bulk(out, name);
    resp::append_integer(out, static_cast<std::int64_t>(value));
}

}  // namespace

// --- messages to a group

void channel_service::group_send(const channel_caller& who, shared_agreement by,
                                 const channels::native::group_send& what) {
    auto call = std::make_shared<group_call>();
    call->who = who;
    call->wish.group = what.group;
    call->wish.body = std::make_shared<const std::string>(what.body);
    call->wish.except.assign(what.except.begin(), what.except.end());
    call->wish.id = what.id;
    call->wish.history_items_max = what.history_items;
    call->wish.history_ttl_ms = what.history_ttl.count();
    call->wish.expiry_ms = by->terms.expiry.count();
    call->wish.capacity = by->terms.capacities.default_capacity();
    call->wish.tallied = what.tallied;
    call->by = std::move(by);
    ++shard_.stats.count.channel_group_messages;
    group_calls_.push_back(call);
    if (call->wish.id.empty()) {
        call->waiting = shard_.process.shards + 1;
        deliver_to_all_shards(call);
    } else {
        call->waiting = 1;  // Redis first: it knows whether this was sent before
    }
    ask_group_store(call);
}

void channel_service::deliver_to_all_shards(const std::shared_ptr<group_call>& call) {
    const int back = shard_.index;
    for (int i = 0; i < shard_.process.shards; ++i)
        to_shard(i, [call, back](channel_service& there) {
            const auto& wish = call->wish;
            const auto tally = there.deliver_group(
                call->by->layer, {call, {{}, wish.group, wish.except, wish.body, wish.expiry_ms}});
            there.to_shard(back, [call, tally](channel_service& here) {
                call->local.add(tally);
                if (--call->waiting == 0) here.finish(*call);
            });
        });
}

void channel_service::ask_group_store(const std::shared_ptr<group_call>& call) {
    shard_.layer_store->group_send(call->by->layer, call->wish, [this, call](const group_answer& got) {
        call->remote = got;
        call->answered = true;
        for (const auto& then : std::exchange(call->then, {})) then(*call);
        while (!group_calls_.empty() && group_calls_.front()->answered) group_calls_.pop_front();
        if (!call->wish.id.empty() && got.result == store_result::ok) {
            call->waiting += shard_.process.shards;
            deliver_to_all_shards(call);
        }
        if (--call->waiting == 0) finish(*call);
    });
}

void channel_service::finish(group_call& call) {
    const auto& far = call.remote;
    if (far.result == store_result::duplicate && !call.wish.tallied) return answer_number(call.who, 0);
    if (far.result != store_result::ok && far.result != store_result::duplicate)
        return answer_error(call.who, far.result == store_result::unknown ? unknown : unavailable);
    if (!call.wish.tallied)
        return answer_number(call.who,
                             static_cast<std::int64_t>(call.local.processes + far.processes + far.spooled));
    channels::group_tally all = call.local;
    all.add(far.others);
    std::string out;
    resp::append_map_header(out, 8, call.who.protocol);
    append_number(out, "members", std::max(far.members, all.members));
    append_number(out, "delivered", all.delivered);
    append_number(out, "dropped_capacity", all.dropped_capacity + far.spool_dropped);
    append_number(out, "dropped_slow", all.dropped_slow);
    append_number(out, "spooled", far.spooled);
    append_number(out, "nodes", far.nodes + std::uint64_t{call.local.processes > 0});
    append_number(out, "offset", far.offset);
    resp::append_bulk(out, "epoch");
    resp::append_bulk(out, far.epoch);
    answer(call.who, std::move(out));
}

// --- membership

struct channel_service::membership_call {
    enum class change : std::uint8_t { join, leave, leave_all };
    channel_caller who;
    shared_agreement by;
    change what = change::join;
    std::vector<std::pair<std::string, std::string>> pairs;  // group, channel; no group to leave all
    std::vector<int> shards;                                 // of each pair's process; -1: a normal channel
    count_answer stored;
    std::uint64_t too_many = 0;
    int waiting = 0;
};

void channel_service::join(const channel_caller& who, shared_agreement by,
                           const std::vector<channels::native::pair>& pairs) {
    auto call = std::make_shared<membership_call>();
    call->who = who;
    call->by = std::move(by);
    call->pairs.assign(pairs.begin(), pairs.end());
    change_groups(call);
}

void channel_service::leave_groups(const channel_caller& who, shared_agreement by,
                                   const std::vector<channels::native::pair>& pairs) {
    auto call = std::make_shared<membership_call>();
    call->who = who;
    call->by = std::move(by);
    call->what = membership_call::change::leave;
    call->pairs.assign(pairs.begin(), pairs.end());
    change_groups(call);
}

void channel_service::leave_all(const channel_caller& who, shared_agreement by,
                                const std::vector<std::string_view>& channels) {
    auto call = std::make_shared<membership_call>();
    call->who = who;
    call->by = std::move(by);
    call->what = membership_call::change::leave_all;
    for (const auto channel : channels) call->pairs.emplace_back(std::string(), channel);
    change_groups(call);
}

// The hubs of the processes' shards and Redis are changed at the same time; the answer waits for all.
void channel_service::change_groups(const std::shared_ptr<membership_call>& call) {
    std::vector<int> involved;
    for (const auto& [group, channel] : call->pairs) {
        const auto process = channels::process_of(channel);
        const int shard = process.empty() ? -1 : shard_of(call->by->layer, process);
        call->shards.push_back(shard);
        if (shard >= 0 && std::find(involved.begin(), involved.end(), shard) == involved.end())
            involved.push_back(shard);
    }
    call->waiting = static_cast<int>(involved.size()) + 1;
    for (const int shard : involved)
        to_shard(shard, [call, shard, back = shard_.index](channel_service& there) {
            const std::uint64_t refused = there.change_here(*call, shard);
            there.to_shard(back, [call, refused](channel_service& here) {
                call->too_many += refused;
                if (--call->waiting == 0) here.finish(*call);
            });
        });
    const auto done = [this, call](const count_answer& got) {
        call->stored = got;
        if (--call->waiting == 0) finish(*call);
    };
    switch (call->what) {
        case membership_call::change::join:
            return shard_.layer_store->join(call->by->layer, call->pairs,
                                            call->by->terms.group_expiry.count(), done);
        case membership_call::change::leave:
            return shard_.layer_store->leave(call->by->layer, call->pairs, done);
        case membership_call::change::leave_all: {
            channel_store::names channels;
            for (const auto& [group, channel] : call->pairs) channels.push_back(channel);
            return shard_.layer_store->leave_all(call->by->layer, std::move(channels), done);
        }
    }
}

// Returns how many memberships were too many.
std::uint64_t channel_service::change_here(const membership_call& call, int shard) {
    std::uint64_t refused = 0;
    const auto until = shard_.now() + call.by->terms.group_expiry;
    for (std::size_t i = 0; i < call.pairs.size(); ++i) {
        if (call.shards[i] != shard) continue;
        const auto& [group, channel] = call.pairs[i];
        const auto process = channels::process_of(channel);
        home* at = find_home(call.by->layer, process);
        if (at == nullptr) continue;
        const auto how = process == call.by->process ? channels::told::knows : channels::told::must_be_told;
        if (call.what == membership_call::change::leave) {
            hub_.leave(*at->in_hub, group, channel, how);
        } else if (call.what == membership_call::change::leave_all) {
            hub_.leave_all(*at->in_hub, channel, how);
        } else if (hub_.join(*at->in_hub, group, channel, until, how) == channels::join_result::too_many) {
            ++refused;
        }
    }
    shard_.stats.count.channel_memberships_refused += refused;
    return refused;
}

void channel_service::finish(membership_call& call) {
    if (call.too_many > 0) return answer_error(call.who, "ERR the process is in as many groups as it may be");
    if (!call.stored.ok) return answer_error(call.who, unknown);
    answer_number(call.who, call.stored.number);
}

// --- what Redis knows

void channel_service::once(const channel_caller& who, const shared_agreement& by,
                           const channels::native::once& what) {
    shard_.layer_store->once(by->layer, what.key, what.keep.count(), [this, who](store_result result) {
        if (result == store_result::ok || result == store_result::duplicate)
            return answer_number(who, result == store_result::ok ? 1 : 0);
        answer_error(who, result == store_result::unknown ? unknown : unavailable);
    });
}

void channel_service::history(const channel_caller& who, const shared_agreement& by,
                              const channels::native::history& what) {
    history_wish wish;
    wish.group = what.group;
    wish.epoch = what.epoch;
    wish.offset = what.offset;
    wish.limit = what.limit;
    shard_.layer_store->history(by->layer, wish, [this, who](const history_answer& got) {
        if (!got.ok) return answer_error(who, unavailable);
        std::string out;
        resp::append_array_header(out, 4);
        resp::append_bulk(out, got.epoch);
        resp::append_integer(out, static_cast<std::int64_t>(got.top));
        resp::append_integer(out, got.recovered ? 1 : 0);
        resp::append_array_header(out, got.items.size());
        for (const auto& [offset, body] : got.items) {
            resp::append_array_header(out, 2);
            resp::append_integer(out, static_cast<std::int64_t>(offset));
            resp::append_bulk(out, body);
        }
        answer(who, std::move(out));
    });
}

void channel_service::count(const channel_caller& who, const shared_agreement& by, std::string_view group) {
    shard_.layer_store->count(by->layer, group, [this, who](const count_answer& got) {
        if (!got.ok) return answer_error(who, unavailable);
        answer_number(who, got.number);
    });
}

void channel_service::answer_page(const channel_caller& who, const page_answer& got) {
    if (!got.ok) return answer_error(who, unavailable);
    std::string out;
    resp::append_array_header(out, 2);
    resp::append_bulk(out, got.cursor);
    resp::append_array_header(out, got.names.size());
    for (const auto& name : got.names) resp::append_bulk(out, name);
    answer(who, std::move(out));
}

void channel_service::members(const channel_caller& who, const shared_agreement& by,
                              const channels::native::members& what) {
    shard_.layer_store->members(by->layer, what.group, what.cursor, what.count,
                                [this, who](const page_answer& got) { answer_page(who, got); });
}

void channel_service::groups(const channel_caller& who, const shared_agreement& by,
                             const channels::native::groups& what) {
    shard_.layer_store->groups(by->layer, what.pattern, what.cursor, what.count,
                               [this, who](const page_answer& got) { answer_page(who, got); });
}

void channel_service::flush(const channel_caller& who, const shared_agreement& by, std::string_view prefix) {
    channels::layer_ref layer = by->layer;
    if (!prefix.empty()) layer.prefix = prefix;
    shard_.layer_store->flush(layer, [this, who](store_result result) {
        if (result == store_result::ok) return answer(who, "+OK\r\n");
        answer_error(who, "UNKNOWN not every node has confirmed");
    });
}

// --- figures

struct channel_service::stats_call {
    channel_caller who;
    channels::hub::totals sum;
    std::uint64_t readers = 0;
    int waiting = 0;
};

void channel_service::stats(const channel_caller& who, const shared_agreement& by) {
    auto call = std::make_shared<stats_call>();
    call->who = who;
    call->waiting = shard_.process.shards;
    const int back = shard_.index;
    for (int i = 0; i < shard_.process.shards; ++i)
        to_shard(i, [call, by, back](channel_service& there) {
            const auto part = there.hub_.count(by->layer);
            const auto readers = there.waiting_readers();
            there.to_shard(back, [call, part, readers](channel_service& here) {
                call->sum.add(part);
                call->readers += readers;
                if (--call->waiting == 0) here.finish(*call);
            });
        });
}

void channel_service::finish(stats_call& call) {
    std::string out;
    resp::append_map_header(out, 9, call.who.protocol);
    append_number(out, "processes", call.sum.processes);
    append_number(out, "groups", call.sum.groups);
    append_number(out, "memberships", call.sum.memberships);
    append_number(out, "queued", call.sum.messages);
    append_number(out, "queued_bytes", call.sum.bytes);
    append_number(out, "readers", call.readers);
    append_number(out, "dropped_capacity", call.sum.dropped_capacity);
    append_number(out, "dropped_slow", call.sum.dropped_slow);
    append_number(out, "expired", call.sum.expired);
    answer(call.who, std::move(out));
}

}  // namespace sidecar
