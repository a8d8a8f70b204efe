#include "sidecar/core/channel_service.hpp"

#include <algorithm>
#include <utility>

#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

namespace {

constexpr std::chrono::seconds sweep_interval{1};

}  // namespace

channel_service::channel_service(shard_core& shard)
    : shard_(shard),
      outbox_(static_cast<std::size_t>(std::max(shard.process.shards, 1))),
      batches_(outbox_.size()) {
    shard.layer_store->attach(*this);
}

channel_service::~channel_service() = default;

// --- between shards

int channel_service::shard_of(const channels::layer_ref& layer, std::string_view process) const {
    return channels::home_shard(layer, process, shard_.process.shards);
}

void channel_service::to_shard(int shard, task what) {
    if (shard == shard_.index) return what(*this);
    outbox_[static_cast<std::size_t>(shard)].push_back(std::move(what));
}

void channel_service::answer(const channel_caller& who, std::string bytes) {
    if (who.shard != shard_.index)
        return to_shard(
            who.shard, [who, bytes = std::move(bytes)](channel_service& there) { there.answer(who, bytes); });
    if (session* s = shard_.find_session(who.session)) s->on_channel_answer(who, bytes);
}

void channel_service::answer_nothing(const channel_caller& who) {
    std::string out;
    resp::append_null_array(out, who.protocol);
    answer(who, std::move(out));
}

void channel_service::answer_error(const channel_caller& who, std::string_view text) {
    std::string out;
    resp::append_error(out, text);
    answer(who, std::move(out));
}

void channel_service::answer_number(const channel_caller& who, std::int64_t number) {
    std::string out;
    resp::append_integer(out, number);
    answer(who, std::move(out));
}

void channel_service::finish_turn() {
    if (hub_.any_ready())
        for (channels::process* ready : hub_.take_ready())
            if (ready->watcher != nullptr) serve_readers(*reinterpret_cast<home*>(ready->watcher));
    for (std::size_t i = 0; i < outbox_.size(); ++i) {
        auto& messages = batches_[i];
        auto& tasks = outbox_[i];
        if (tasks.empty() && messages.slices.empty()) continue;
        auto parcel =
            std::make_shared<std::pair<std::vector<task>, batch>>(std::move(tasks), std::move(messages));
        tasks = {};
        messages = {};
        shard_.process.post(static_cast<int>(i), [parcel](shard_core& there) {
            for (const auto& what : parcel->first) what(*there.layer_service);
            const auto& [slices, entries] = parcel->second;
            for (const auto& each : slices)
                if (session* s = there.find_session(each.who.session))
                    s->on_channel_messages(each.who,
                                           channel_messages(entries).subspan(each.first, each.count));
        });
    }
}

// --- processes

std::string channel_service::key_of(const channels::layer_ref& layer, std::string_view process) {
    std::string key = std::to_string(layer.database) + ' ' + layer.prefix + ' ';
    return key.append(process);
}

channel_service::home* channel_service::find_home(const channels::layer_ref& layer,
                                                  std::string_view process) {
    const channels::process* known = hub_.find(layer, process);
    return known == nullptr ? nullptr : reinterpret_cast<home*>(known->watcher);
}

void channel_service::hello(const channel_caller& who, shared_agreement agreed) {
    const int owner = agreed->owner;
    to_shard(owner,
             [who, agreed = std::move(agreed)](channel_service& there) { there.hello_at_home(who, agreed); });
}

void channel_service::leave(shared_agreement agreed, std::uint64_t session) {
    const int owner = agreed->owner;
    to_shard(owner, [gone = connection{shard_.index, session}, agreed = std::move(agreed)](
                        channel_service& there) { there.leave_home(agreed->layer, agreed->process, gone); });
}

void channel_service::refuse_hello(const channel_caller& who, const shared_agreement& agreed) {
    to_shard(who.shard, [who, agreed](channel_service& there) {
        if (session* s = there.shard_.find_session(who.session)) s->on_channel_refused(agreed);
        there.answer_error(who, "UNAVAILABLE Redis could not be asked");
    });
}

void channel_service::greet(const channel_caller& who, const home& which) {
    const auto& terms = which.agreed->terms;
    const auto seconds = [](std::chrono::milliseconds time) { return time.count() / 1'000; };
    std::string out;
    resp::append_map_header(out, 10, who.protocol);
    const auto text = [&](std::string_view name, std::string_view value) {
        resp::append_bulk(out, name);
        resp::append_bulk(out, value);
    };
    const auto number = [&](std::string_view name, std::int64_t value) {
        resp::append_bulk(out, name);
        resp::append_integer(out, value);
    };
    text("node", shard_.process.run_id);
    text("session", which.session_id);
    text("epoch", which.session_id);
    number("next_seq", static_cast<std::int64_t>(which.in_hub->queue.next_seq()));
    number("expiry", seconds(terms.expiry));
    number("group_expiry", seconds(terms.group_expiry));
    number("capacity", terms.capacities.default_capacity());
    number("grace", seconds(terms.grace));
    number("max_message", static_cast<std::int64_t>(terms.message_bytes_max));
    text("version", SIDECAR_VERSION);
    answer(who, std::move(out));
}

void channel_service::leave_home(const channels::layer_ref& layer, const std::string& process,
                                 connection gone) {
    home* at = find_home(layer, process);
    if (at == nullptr || std::erase(at->connections, gone) == 0) return;
    std::erase_if(at->readers, [&](const reader& each) {
        const bool of_it = each.who.shard == gone.shard && each.who.session == gone.session;
        if (of_it) answer_nothing(each.who);
        return of_it;
    });
    if (at->last_reader == gone) {
        at->last_reader = {};
        at->in_hub->queue.give_again();
        hub_.mark_ready(*at->in_hub);
    }
    if (at->connections.empty()) at->lost_at = shard_.now();
}

// Null for everybody who waits.
void channel_service::close_readers(home& which) {
    for (const auto& each : std::exchange(which.readers, {})) answer_nothing(each.who);
}

void channel_service::drop(home& which, std::string_view cause) {
    shard_.log('i', "channel process dropped",
               {{"layer", which.agreed->layer.prefix},
                {"process", which.agreed->process},
                {"cause", std::string(cause)}});
    close_readers(which);
    const auto key = key_of(which.agreed->layer, which.agreed->process);
    std::erase(claiming_, &which);
    hub_.close(*which.in_hub);
    homes_.erase(key);
}

// --- time

void channel_service::on_time(time_point now) {
    std::vector<home*> lost;
    for (auto& [key, at] : homes_) {
        std::erase_if(at->readers, [&](const reader& each) {
            if (each.until > now) return false;
            answer_nothing(each.who);
            return true;
        });
        if (at->lost_at && at->claim == claim_step::done && now - *at->lost_at >= at->agreed->terms.grace)
            lost.push_back(at.get());
    }
    for (home* each : lost) {
        ++shard_.stats.count.channel_processes_lost;
        shard_.layer_store->release(each->agreed->layer, each->agreed->process);
        drop(*each, "no connection within the grace time");
    }
    for (std::size_t i = 0; i < normal_readers_.size();) {
        auto& each = *normal_readers_[i];
        if (each.until > now || each.asking) {
            ++i;
            continue;
        }
        const channel_caller who = each.who;
        normal_readers_.erase(normal_readers_.begin() + static_cast<std::ptrdiff_t>(i));
        answer_nothing(who);
    }
    if (now - swept_at_ < sweep_interval) return;
    swept_at_ = now;
    forget_given(now);
    hub_.expire_memberships(now);
}

void channel_service::begin_drain() {
    draining_ = true;
    for (auto& [key, at] : homes_) close_readers(*at);
    for (auto& each : normal_readers_) each->until = shard_.now();
    on_time(shard_.now());
}

std::size_t channel_service::waiting_readers() const {
    std::size_t sum = normal_readers_.size();
    for (const auto& [key, at] : homes_) sum += at->readers.size();
    return sum;
}

void channel_service::add_to(gauges& now) const {
    const auto sum = hub_.count();
    now.channel_processes = sum.processes;
    now.channel_groups = sum.groups;
    now.channel_memberships = sum.memberships;
    now.channel_queued = sum.messages;
    now.channel_queued_bytes = sum.bytes;
    now.channel_readers = waiting_readers();
}

// --- from other nodes

store_result channel_service::on_send(const channels::layer_ref& layer, std::string_view channel,
                                      channels::shared_payload body, std::uint64_t capacity,
                                      std::int64_t expiry_ms) {
    home* at = find_home(layer, channels::process_of(channel));
    if (at == nullptr) return store_result::gone;
    const auto result =
        hub_.send(*at->in_hub, channels::direct_envelope(channel, *body),
                  shard_.now() + std::chrono::milliseconds(expiry_ms), shard_.now(), capacity);
    if (result == channels::push_result::queued) return store_result::ok;
    ++shard_.stats.count.channel_messages_refused;
    return store_result::full;
}

void channel_service::on_join(const channels::layer_ref& layer, std::string_view group,
                              const std::vector<std::string>& names, std::int64_t expires_in_ms) {
    const auto until = shard_.now() + std::chrono::milliseconds(expires_in_ms);
    for (const auto& channel : names)
        if (home* at = find_home(layer, channels::process_of(channel)))
            if (hub_.join(*at->in_hub, group, channel, until, channels::told::must_be_told) ==
                channels::join_result::too_many)
                ++shard_.stats.count.channel_memberships_refused;
}

void channel_service::on_leave(const channels::layer_ref& layer, std::string_view group,
                               const std::vector<std::string>& names) {
    for (const auto& channel : names)
        if (home* at = find_home(layer, channels::process_of(channel)))
            hub_.leave(*at->in_hub, group, channel, channels::told::must_be_told);
}

void channel_service::on_leave_all(const channels::layer_ref& layer, std::string_view channel) {
    if (home* at = find_home(layer, channels::process_of(channel)))
        hub_.leave_all(*at->in_hub, channel, channels::told::must_be_told);
}

void channel_service::on_spooled(const channels::layer_ref& layer, std::string_view process,
                                 std::vector<channels::spooled_message> messages) {
    if (home* at = find_home(layer, process)) hub_.deliver_spooled(*at->in_hub, messages, shard_.now());
}

void channel_service::on_flush(const channels::layer_ref& layer) {
    hub_.flush(layer);
}

std::vector<channels::registration> channel_service::snapshot(int database) {
    auto all = hub_.snapshot(database, shard_.now());
    // Whose claim is under way is registered by it; a second one would take what waits for the first.
    std::erase_if(all, [this](auto& each) {
        const home* at = find_home(each.layer, each.process);
        if (at != nullptr) each.grace_ms = at->agreed->terms.grace.count();
        return at != nullptr && at->claim == claim_step::asking;
    });
    return all;
}

}  // namespace sidecar
