#include "broker/observer.hpp"

#include <algorithm>
#include <utility>

#include "broker/observer_state.hpp"

namespace broker {
namespace {

constexpr std::int64_t route_waits_us = 1'000'000;
constexpr std::int64_t early_kept_us = 10'000'000;
constexpr std::int64_t acknowledgement_waits_us = 100'000;
constexpr std::int64_t tidy_every_us = 1'000'000;
constexpr std::int64_t unread_replies_kept_us = 3'600'000'000;
constexpr std::int64_t read_replies_kept_us = 60'000'000;

}  // namespace

observer::observer(observer_limits limits) : state_(std::make_unique<state>(limits)) {}
observer::~observer() = default;

void observer::set_event_sink(event_sink sink) {
    state_->sink = std::move(sink);
}

void observer::on_note(const wire_note& note) {
    state& at = *state_;
    ++at.counts.notes;
    at.now_us = std::max(at.now_us, note.at_us);
    if (at.since_us == 0) at.since_us = note.at_us;
    if (note.kind == wire_kind::gap) return on_gap(note.at_us);
    if (note.kind == wire_kind::gone) {
        at.settle_all(note.client);
        return at.workers.gone(note.client, note.at_us);
    }
    // These are told of clients that may be gone already; they must not come to life again.
    if (note.kind == wire_kind::put_back || note.kind == wire_kind::reserved_back)
        return at.on_put_back(note);
    if (note.kind == wire_kind::withheld) return at.on_withheld(note);
    client_record* const by = at.workers.client(note.client, note.db, note.at_us);
    if (by == nullptr) return;
    if (note.kind != wire_kind::settled && note.kind != wire_kind::pushed) at.settle_all(note.client);
    switch (note.kind) {
        case wire_kind::pushed:
            return at.on_pushed(note, *by);
        case wire_kind::popped:
            return at.on_popped(note, *by);
        case wire_kind::waits:
            return at.on_waits(note, *by);
        case wire_kind::waits_over:
            by->waits = false;
            return;
        case wire_kind::noted:
            return at.on_noted(note, *by);
        case wire_kind::settled:
            return at.on_settled(note, *by);
        case wire_kind::swept:
            return at.on_swept(note, *by);
        case wire_kind::routed:
            return at.on_routed(note, *by);
        case wire_kind::bound:
        case wire_kind::unbound:
            return at.on_bound(note, *by);
        case wire_kind::published:
            return at.on_published(note, *by);
        case wire_kind::listens:
            return at.on_listens(note, *by);
        case wire_kind::deleted:
            return at.on_deleted(note);
        case wire_kind::connected:
            by->address = note.text;
            return;
        case wire_kind::named:
            if (note.key == "name" || by->name.empty()) by->name = note.text.substr(0, 200);
            return;
        case wire_kind::put_back:
        case wire_kind::reserved_back:
        case wire_kind::withheld:
        case wire_kind::listens_no_more:
        case wire_kind::gone:
        case wire_kind::gap:
            return;
    }
}

void observer::on_gap(std::int64_t now_us) {
    state& at = *state_;
    ++at.counts.gaps;
    at.since_us = now_us;
    at.unacked.clear();
    at.settling_by_client.clear();
    at.routes.clear();
    at.early_pops.clear();
    at.early_order.clear();
    for (list_number number = 0; number < at.lists.size(); ++number) {
        at.times.trim(number, 0);
        at.lists[number].head_unknown = true;
    }
}

void observer::retain_clients(const std::vector<std::uint64_t>& open, std::int64_t now_us) {
    const std::set<std::uint64_t> kept(open.begin(), open.end());
    std::vector<std::uint64_t> lost;
    for (const auto& [id, client] : state_->workers.clients()) {
        if (client.gone_us == 0 && client.seen_us < now_us - 5'000'000 && !kept.contains(id))
            lost.push_back(id);
    }
    for (const std::uint64_t id : lost) state_->workers.gone(id, now_us);
}

void observer::on_depth(std::uint8_t db, std::string_view key, std::uint64_t depth,
                        const std::optional<std::string>& head_tag, std::int64_t now_us) {
    const auto found = state_->list_numbers.find(std::pair(db, std::string(key)));
    if (found == state_->list_numbers.end()) return;
    list_record& list = state_->lists[found->second];
    list.depth = depth;
    // What has just been pushed or popped may not have been told yet.
    const bool settled = std::max(list.pushed_us, list.popped_us) < now_us - 500'000;
    const auto untold = settled ? 0 : 100 + static_cast<std::uint64_t>(2 * list.in.per_second(now_us, 10));
    if (state_->times.waiting(found->second) > depth + untold)
        state_->times.trim(found->second, depth + untold);
    if (depth == 0 && settled) list.head_unknown = false;
    if (!head_tag) return;
    list.head_unknown = state_->times.find(*head_tag) == nullptr;
    list.head_tag = *head_tag;
}

void observer::know_list(std::uint8_t db, std::string_view key) {
    (void)state_->list_at(db, key);
}

void observer::on_stats(const broker_id& broker, std::string_view node, std::int64_t concurrency,
                        std::int64_t prefetch) {
    const std::pair key(broker, std::string(node));
    if (!state_->workers.nodes().contains(key)) return;
    state_->stats[key] = {concurrency, prefetch};
}

void observer::message_removed(std::string_view tag) {
    state_->unacked.erase(tag);
    state_->times.forget(tag);
}

void observer::message_moved(std::uint8_t db, std::string_view tag, std::string_view to_key) {
    state_->unacked.erase(tag);
    const auto* const known = state_->times.find(tag);
    const auto list = state_->list_at(db, to_key);
    if (known == nullptr || !list) return;
    state_->times.waits(tag, *list, known->enqueued_us);
}

void observer::forget_unacked(std::string_view tag) {
    state_->unacked.erase(tag);
}

void observer::tick(std::int64_t now_us) {
    state& at = *state_;
    at.now_us = std::max(at.now_us, now_us);
    std::vector<std::uint64_t> settled;
    for (const auto& [client, tags] : at.settling_by_client) {
        if (!tags.empty() && tags.back().at_us < now_us - acknowledgement_waits_us) settled.push_back(client);
    }
    for (const std::uint64_t client : settled) at.settle_all(client);
    if (now_us - at.tidied_us < tidy_every_us) return;
    at.tidied_us = now_us;
    at.expire_routes(false);
    at.expire_early();
    at.unacked.expire(now_us);
    at.times.expire(now_us - at.limits.message_forget_us);
    at.tidy_workers();
    at.count_orphans();
    std::erase_if(at.replies, [&](const auto& each) {
        const auto& [pushed, popped, last_us] = each.second;
        return last_us < now_us - (popped < pushed ? unread_replies_kept_us : read_replies_kept_us);
    });
}

void observer::state::tidy_workers() {
    std::set<std::uint64_t> needed;
    unacked.for_each([&](const held_message& held) {
        needed.insert(held.noted_by);
        needed.insert(held.popped_by);
    });
    std::set<std::string_view> hosts;
    workers.tick(now_us, limits.worker_forget_us, needed);
    for (const auto& [key, node] : workers.nodes()) hosts.insert(hostname_of(key.second));
    std::set<std::string> gone;
    for (const auto& host : known_hosts) {
        if (!hosts.contains(host)) gone.insert(host);
    }
    for (const std::string& host : gone) celery.forget_host(host);
    known_hosts = {hosts.begin(), hosts.end()};
    std::erase_if(stats, [&](const auto& each) { return !workers.nodes().contains(each.first); });
}

void observer::state::expire_routes(bool all) {
    while (!routes.empty() && (all || routes.front().at_us < now_us - route_waits_us)) {
        const pending_route lost = std::move(routes.front());
        routes.pop_front();
        ++counts.silent_drops;
        if (drops.size() >= 1'000 && !drops.contains({lost.broker, lost.exchange})) continue;
        silent_drop_view& drop = drops[{lost.broker, lost.exchange}];
        drop.broker = lost.broker;
        drop.exchange = lost.exchange;
        ++drop.count;
        drop.last_us = lost.at_us;
        drop.client_address = lost.address;
    }
}

void observer::state::expire_early() {
    while (!early_order.empty() && early_order.front().first < now_us - early_kept_us) {
        early_pops.erase(early_order.front().second);
        early_order.pop_front();
    }
}

void observer::state::count_orphans() {
    unacked.for_each([this](held_message& held) {
        if (held.orphan_counted || held.noted_by == 0) return;
        const process_record* of = nullptr;
        if (const client_record* const client = workers.find(held.client()))
            of = workers.process(client->process);
        if (of == nullptr || of->gone_us == 0) return;
        if (workers.owner(held.client(), now_us, limits.orphan_after_us).state != owner_state::orphan) return;
        held.orphan_counted = true;
        ++counts.orphans_seen;
    });
}

}  // namespace broker
