#include "channels/hub.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace channels {

namespace {

std::int64_t milliseconds_until(moment then, moment now) {
    if (then <= now) return 0;
    return std::chrono::duration_cast<std::chrono::milliseconds>(then - now).count();
}

}  // namespace

const layer_ref& process::layer() const {
    return layer_->ref;
}

hub::hub() : hub(limits{}) {}

hub::~hub() = default;

// --- processes

layer_state* hub::find_layer(const layer_ref& layer) {
    const auto it = layers_.find(layer);
    return it == layers_.end() ? nullptr : it->second.get();
}

process* hub::find(const layer_ref& layer, std::string_view name) {
    layer_state* state = find_layer(layer);
    if (state == nullptr) return nullptr;
    const auto it = state->processes.find(name);
    return it == state->processes.end() ? nullptr : it->second.get();
}

process* hub::open(const layer_ref& layer, std::string_view name) {
    if (process* known = find(layer, name)) return known;
    if (process_count_ >= bounds_.processes) return nullptr;
    auto& state = layers_[layer];
    if (!state) {
        state = std::make_unique<layer_state>();
        state->ref = layer;
    }
    auto& made = state->processes[std::string(name)];
    made = std::make_unique<process>();
    made->name_ = name;
    made->layer_ = state.get();
    made->queue.sum_into(queued_bytes_);
    ++process_count_;
    return made.get();
}

void hub::close(process& gone) {
    while (!gone.groups_.empty()) drop_seat(gone, std::string(gone.groups_.begin()->first));
    std::erase(ready_, &gone);
    --process_count_;
    layer_state& layer = *gone.layer_;
    layer.expired += gone.queue.expired_total();
    layer.processes.erase(std::string(gone.name_));
    if (layer.processes.empty()) layers_.erase(layer_ref(layer.ref));
}

void hub::flush(const layer_ref& layer) {
    layer_state* state = find_layer(layer);
    if (state == nullptr) return;
    for (auto& [name, who] : state->processes) {
        while (!who->groups_.empty()) drop_seat(*who, std::string(who->groups_.begin()->first));
        who->queue.clear();
        tell(*who, notice::flushed, {}, {});
    }
}

// --- messages

void hub::mark_ready(process& which) {
    if (which.ready_) return;
    which.ready_ = true;
    ready_.push_back(&which);
}

std::vector<process*> hub::take_ready() {
    for (process* each : ready_) each->ready_ = false;
    return std::exchange(ready_, {});
}

void hub::tell(process& who, notice what, std::string_view channel, std::string_view group) {
    who.queue.push_notice(notice_envelope(what, channel, group));
    mark_ready(who);
}

push_result hub::send(process& to, shared_envelope what, moment expires, moment now, std::size_t capacity) {
    if (queued_bytes_ + what->frame.size() > bounds_.queued_bytes) return push_result::slow;
    const push_result result = to.queue.push(std::move(what), expires, now, capacity);
    if (result == push_result::queued) mark_ready(to);
    return result;
}

void hub::deliver_spooled(process& to, const std::vector<spooled_message>& messages, moment now) {
    constexpr std::size_t no_capacity = SIZE_MAX;
    for (const auto& each : messages)
        send(to, envelope_of(each), now + std::chrono::milliseconds(each.expires_in_ms), now, no_capacity);
}

// How many of the process's members in a group are left out.
std::uint64_t hub::excepted(const process::seat& in, const process& who,
                            const std::vector<std::string>& except) {
    return static_cast<std::uint64_t>(std::count_if(except.begin(), except.end(), [&](const auto& channel) {
        return process_of(channel) == who.name_ && in.channels.contains(channel);
    }));
}

bool hub::is_meant(const process& who, std::string_view group, const std::vector<std::string>& except) const {
    const auto in = who.groups_.find(group);
    return in != who.groups_.end() && in->second.channels.size() > excepted(in->second, who, except);
}

group_tally hub::send_group(const layer_ref& layer, std::string_view group, std::string_view body,
                            const std::vector<std::string>& except, moment expires, moment now) {
    group_tally tally;
    layer_state* state = find_layer(layer);
    if (state == nullptr) return tally;
    const auto it = state->groups.find(group);
    if (it == state->groups.end()) return tally;
    const shared_envelope what = group_envelope(group, body, except);
    for (const auto& member : it->second) {
        std::uint64_t meant = member.channels;
        if (!except.empty()) {
            meant -= excepted(member.who->groups_.find(group)->second, *member.who, except);
            if (meant == 0) continue;
        }
        tally.members += meant;
        switch (send(*member.who, what, expires, now, member.who->capacity)) {
            case push_result::queued:
                ++tally.processes;
                tally.delivered += meant;
                break;
            case push_result::full:
                tally.dropped_capacity += meant;
                break;
            case push_result::slow:
                tally.dropped_slow += meant;
                break;
        }
    }
    state->dropped_capacity += tally.dropped_capacity;
    state->dropped_slow += tally.dropped_slow;
    return tally;
}

// --- groups

join_result hub::join(process& who, std::string_view group, std::string_view channel, moment until,
                      told how) {
    next_end_ = std::min(next_end_, until);
    auto seat_at = who.groups_.find(group);
    if (seat_at != who.groups_.end()) {
        const auto known = seat_at->second.channels.find(channel);
        if (known != seat_at->second.channels.end()) {
            known->second = until;
            return join_result::renewed;
        }
    }
    if (who.membership_count_ >= bounds_.memberships_of_process) return join_result::too_many;
    auto& members = who.layer_->groups[std::string(group)];
    if (seat_at == who.groups_.end()) {
        seat_at = who.groups_.emplace(group, process::seat{members.size(), {}}).first;
        members.push_back({&who, 0});
    }
    seat_at->second.channels.emplace(channel, until);
    ++members[seat_at->second.index].channels;
    who.groups_of_channel_[std::string(channel)].emplace_back(group);
    ++who.membership_count_;
    if (how == told::must_be_told) tell(who, notice::joined, channel, group);
    return join_result::joined;
}

bool hub::leave(process& who, std::string_view group, std::string_view channel, told how) {
    const auto seat_at = who.groups_.find(group);
    if (seat_at == who.groups_.end()) return false;
    auto& channels = seat_at->second.channels;
    const auto known = channels.find(channel);
    if (known == channels.end()) return false;
    const auto of_channel = who.groups_of_channel_.find(channel);
    std::erase(of_channel->second, group);
    if (of_channel->second.empty()) who.groups_of_channel_.erase(of_channel);
    --who.layer_->groups.find(group)->second[seat_at->second.index].channels;
    --who.membership_count_;
    if (how == told::must_be_told) tell(who, notice::left, channel, group);
    channels.erase(known);
    if (channels.empty()) drop_seat(who, std::string(group));
    return true;
}

std::size_t hub::leave_all(process& who, std::string_view channel, told how) {
    const auto it = who.groups_of_channel_.find(channel);
    if (it == who.groups_of_channel_.end()) return 0;
    const auto groups = it->second;
    const std::string name(channel);
    for (const auto& group : groups) leave(who, group, name, how);
    return groups.size();
}

// The process leaves the group with all its channels; the last member of the group's list takes its place.
void hub::drop_seat(process& who, std::string_view group) {
    const auto seat_at = who.groups_.find(group);
    for (const auto& [channel, until] : seat_at->second.channels) {
        const auto of_channel = who.groups_of_channel_.find(channel);
        std::erase(of_channel->second, group);
        if (of_channel->second.empty()) who.groups_of_channel_.erase(of_channel);
        --who.membership_count_;
    }
    auto& groups = who.layer_->groups;
    const auto group_at = groups.find(group);
    auto& members = group_at->second;
    const std::size_t index = seat_at->second.index;
    members[index] = members.back();
    members[index].who->groups_.find(group)->second.index = index;
    members.pop_back();
    if (members.empty()) groups.erase(group_at);
    who.groups_.erase(seat_at);
}

void hub::expire_memberships(moment now) {
    if (now < next_end_) return;
    next_end_ = moment::max();
    std::vector<std::pair<std::string, std::string>> over;
    each_process([&](process& who) {
        over.clear();
        for (const auto& [group, seat] : who.groups_)
            for (const auto& [channel, until] : seat.channels)
                if (until <= now) {
                    over.emplace_back(group, channel);
                } else {
                    next_end_ = std::min(next_end_, until);
                }
        for (const auto& [group, channel] : over) leave(who, group, channel, told::must_be_told);
    });
}

std::vector<registration> hub::snapshot(int database, moment now) const {
    std::vector<registration> all;
    for (const auto& [ref, layer] : layers_) {
        if (ref.database != database) continue;
        for (const auto& [name, who] : layer->processes) {
            registration& made = all.emplace_back();
            made.layer = ref;
            made.process = name;
            for (const auto& [group, seat] : who->groups_)
                for (const auto& [channel, until] : seat.channels)
                    made.memberships.push_back({group, channel, milliseconds_until(until, now)});
        }
    }
    return all;
}

void hub::totals::add(const totals& other) {
    processes += other.processes;
    groups += other.groups;
    memberships += other.memberships;
    messages += other.messages;
    bytes += other.bytes;
    expired += other.expired;
    dropped_capacity += other.dropped_capacity;
    dropped_slow += other.dropped_slow;
}

hub::totals hub::count(const layer_ref& layer) const {
    totals sum;
    const auto it = layers_.find(layer);
    if (it == layers_.end()) return sum;
    const layer_state& state = *it->second;
    sum.processes = state.processes.size();
    sum.groups = state.groups.size();
    sum.expired = state.expired;
    sum.dropped_capacity = state.dropped_capacity;
    sum.dropped_slow = state.dropped_slow;
    for (const auto& [name, who] : state.processes) {
        sum.memberships += who->membership_count_;
        sum.messages += who->queue.size();
        sum.bytes += who->queue.bytes();
        sum.expired += who->queue.expired_total();
    }
    return sum;
}

hub::totals hub::count() const {
    totals sum;
    for (const auto& [ref, layer] : layers_) sum.add(count(ref));
    return sum;
}

}  // namespace channels
