#include "sidecar/core/channel_store.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "channels/native_scripts.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

using channels::native_call;
using channels::node_message;
using channels::node_verb;
using channels::script;

namespace {

constexpr std::chrono::seconds request_time_max{1};
constexpr std::string_view dropped_per_call_max = "500";  // memberships
constexpr int attempts_max = 3;

store_result result_of(call_failure failure) {
    return failure == call_failure::unknown ? store_result::unknown : store_result::unavailable;
}

store_result result_of(std::string_view word) {
    if (word == "ok") return store_result::ok;
    return word == "full" ? store_result::full : store_result::duplicate;
}

}  // namespace

channel_store::channel_store(shard_core& shard) : bus(shard), shard_(shard), calls_(shard) {}
channel_store::~channel_store() = default;

native_call channel_store::call(script which, const layer_ref& layer,
                                std::initializer_list<std::string_view> args) const {
    return {which, layer, shard_.process.run_id, args};
}

void channel_store::run(native_call what, channel_calls::answer done) {
    const int database = what.layer.database;
    if (!calls_.ready(database))
        shard_.process.post(0, [database](shard_core& first) { first.layer_store->bus.start(database); });
    calls_.run(std::move(what), std::move(done));
}

// --- requests to other nodes

std::uint64_t channel_store::begin_request(std::function<void(const request&)> done) {
    const auto shards = static_cast<std::uint64_t>(shard_.process.shards);
    const std::uint64_t id = ++last_request_ * shards + static_cast<std::uint64_t>(shard_.index);
    request& r = requests_[id];
    r.done = std::move(done);
    r.deadline = shard_.now() + shard_.settings().settings.hold + request_time_max;
    return id;
}

void channel_store::finish_request(std::uint64_t id) {
    auto node = requests_.extract(id);
    if (!node.empty() && node.mapped().done) node.mapped().done(node.mapped());
}

void channel_store::expect(std::uint64_t id, std::uint32_t answers) {
    const auto it = requests_.find(id);
    if (it == requests_.end()) return;
    it->second.wanted = answers;
    it->second.deadline = shard_.now() + request_time_max;
    if (it->second.answered >= answers) finish_request(id);
}

void channel_store::on_answer(const node_message& answer) {
    const auto it = requests_.find(answer.request);
    if (it == requests_.end()) return;
    request& r = it->second;
    ++r.answered;
    r.result = static_cast<store_result>(
        std::min<std::uint8_t>(answer.result, static_cast<std::uint8_t>(store_result::unknown)));
    r.tally.add(answer.tally);
    if (r.wanted && r.answered >= *r.wanted) finish_request(answer.request);
}

void channel_store::answer_to(const node_message& asked, store_result result,
                              const channels::group_tally& tally) {
    node_message answer;
    answer.verb = node_verb::answer;
    answer.layer = asked.layer;
    answer.request = asked.request;
    answer.result = static_cast<std::uint8_t>(result);
    answer.tally = tally;
    publish(asked.origin, std::move(answer));
}

void channel_store::publish(std::string_view node, node_message message) {
    message.origin = shard_.process.run_id;
    const std::string inbox = std::string(channels::inbox_prefix).append(node);
    calls_.tell(message.layer.database, resp::command({"PUBLISH", inbox, channels::encode(message)}));
}

// --- what other nodes say

channels::group_tally channel_store::serve(const std::shared_ptr<const node_message>& message) {
    const node_message& m = *message;
    if (m.verb == node_verb::answer) on_answer(m);
    if (hub_ == nullptr) return {};
    switch (m.verb) {
        case node_verb::send: {
            const auto result = hub_->on_send(m.layer, m.name, m.body, m.capacity, m.expiry_ms);
            if (m.request != 0) answer_to(m, result);
            break;
        }
        case node_verb::group:
            return hub_->on_group(m.layer, m.name, m.body, m.names, m.expiry_ms);
        case node_verb::join:
            hub_->on_join(m.layer, m.name, m.names, m.expiry_ms);
            break;
        case node_verb::leave:
            hub_->on_leave(m.layer, m.name, m.names);
            break;
        case node_verb::leave_all:
            hub_->on_leave_all(m.layer, m.name);
            break;
        case node_verb::taken:
            hub_->on_taken(m.layer, m.name, static_cast<std::uint64_t>(m.expiry_ms),
                           [this, message](const auto& left) { hand_over(*message, left); });
            break;
        case node_verb::handover:
            hub_->on_spooled(m.layer, m.name, channels::decode_handover(*m.body));
            break;
        case node_verb::wake:
            hub_->on_wake(m.layer, m.name);
            break;
        case node_verb::flush:
            hub_->on_flush(m.layer);
            break;
        case node_verb::answer:
            break;
    }
    return {};
}

void channel_store::hand_over(const node_message& taken,
                              const std::vector<channels::spooled_message>& messages) {
    node_message m;
    m.verb = node_verb::handover;
    m.layer = taken.layer;
    m.name = taken.name;
    m.body = std::make_shared<const std::string>(channels::encode_handover(messages, shard_.process.run_id));
    publish(taken.origin, std::move(m));
}

// --- processes

void channel_store::claim(const layer_ref& layer, std::string_view process, std::int64_t grace_ms,
                          callback<claim_answer> done) {
    run(call(script::claim, layer, {process, std::to_string(grace_ms)}),
        [done = std::move(done)](call_failure failure, const resp::value& reply) {
            claim_answer answer;
            if (failure == call_failure::none && reply.items.size() == 3) {
                answer.ok = true;
                answer.claims = static_cast<std::uint64_t>(reply.items[2].integer);
                answer.messages = channels::messages_of(channels::read_waiting(reply.items[0]));
                answer.memberships = channels::read_memberships(reply.items[1]);
            }
            done(std::move(answer));
        });
}

void channel_store::release(const layer_ref& layer, std::string_view process) {
    run(call(script::release, layer, {process, dropped_per_call_max}),
        [this, layer, process = std::string(process)](call_failure failure, const resp::value& reply) {
            if (failure == call_failure::none && reply.integer > 0) release(layer, process);
        });
}

// What the hub has is written again; what came meanwhile, and joins of other nodes, are given to the hub.
void channel_store::register_again(const channels::registration& what) {
    std::set<std::pair<std::string, std::string>> known;
    for (const auto& m : what.memberships) known.emplace(m.group, m.channel);
    run(call(script::claim, what.layer, {what.process, std::to_string(what.grace_ms)}),
        [this, layer = what.layer, process = what.process, known = std::move(known)](
            call_failure failure, const resp::value& reply) {
            if (failure != call_failure::none || reply.items.size() != 3 || hub_ == nullptr) return;
            for (auto& m : channels::read_memberships(reply.items[1]))
                if (!known.contains({m.group, m.channel}))
                    hub_->on_join(layer, m.group, {m.channel}, m.expires_in_ms);
            auto items = channels::read_waiting(reply.items[0]);
            // The hub has given its own node's group messages to its members already.
            std::erase_if(items, [&](const channels::waiting_item& item) {
                return !item.message.group.empty() && item.origin == shard_.process.run_id;
            });
            if (!items.empty()) hub_->on_spooled(layer, process, channels::messages_of(std::move(items)));
        });
    constexpr std::size_t batch = 300;
    for (std::size_t i = 0; i < what.memberships.size(); i += batch) {
        native_call joins = call(script::join, what.layer);
        const std::size_t end = std::min(i + batch, what.memberships.size());
        for (std::size_t k = i; k < end; ++k) {
            const auto& m = what.memberships[k];
            joins.add(m.group);
            joins.add(m.channel);
            joins.add(std::to_string(m.expires_in_ms));
        }
        run(std::move(joins), {});
    }
}

void channel_store::on_registered(int database, registered how) {
    calls_.set_ready(database, true);
    if (how == registered::still || hub_ == nullptr) return;
    for (const auto& r : hub_->snapshot(database)) register_again(r);
}

// --- messages

void channel_store::send(const layer_ref& layer, std::string_view channel, channels::shared_payload body,
                         std::uint64_t capacity, std::int64_t expiry_ms, std::string_view id,
                         callback<store_result> done) {
    auto what = std::make_shared<letter>(letter{layer, std::string(channel), std::move(body), capacity,
                                                expiry_ms, std::string(id), std::move(done)});
    send_letter(what, {}, 0);
}

void channel_store::send_letter(const std::shared_ptr<letter>& what, std::string_view gone_node,
                                int attempt) {
    auto home = std::make_shared<std::string>();
    node_message m;
    m.verb = node_verb::send;
    m.layer = what->layer;
    m.name = what->channel;
    m.capacity = what->capacity;
    m.expiry_ms = what->expiry_ms;
    m.origin = shard_.process.run_id;
    m.request = begin_request([this, what, home, attempt](const request& r) {
        deliver_letter(what, *home, r.answered > 0 ? r.result : store_result::unknown, attempt);
    });
    channels::spooled_message waiting;
    waiting.channel = what->channel;
    const std::size_t bytes = what->body->size();
    native_call c = call(script::send, what->layer,
                         {what->channel, std::to_string(what->expiry_ms), std::to_string(what->capacity),
                          attempt == 0 ? what->id : std::string{}, channels::head_of(m, bytes),
                          channels::spool_head(waiting, m.origin, bytes), gone_node});
    c.declare(std::string("q:").append(channels::owner_of_channel(what->channel)));
    c.body = what->body;
    run(std::move(c), [this, what, home, id = m.request](call_failure failure, const resp::value& reply) {
        const bool known = failure != call_failure::none || reply.text == "ok" || reply.text == "full" ||
                           reply.text == "duplicate";
        if (!known) {
            *home = reply.text;
            return expect(id, 1);
        }
        requests_.erase(id);
        what->done(failure != call_failure::none ? result_of(failure) : result_of(reply.text));
    });
}

// The home has answered, or has not in time.
void channel_store::deliver_letter(const std::shared_ptr<letter>& what, const std::string& node,
                                   store_result result, int attempt) {
    if (result == store_result::gone && attempt + 1 < attempts_max)
        return send_letter(what, node, attempt + 1);
    if (result == store_result::gone) result = store_result::unavailable;
    if (result == store_result::full && !what->id.empty())
        calls_.tell(what->layer.database,
                    resp::command({"DEL", channels::layer_key(what->layer, "id:" + what->id)}));
    what->done(result);
}

void channel_store::receive(const layer_ref& layer, std::string_view channel, std::uint32_t count,
                            std::int64_t wait_ms, callback<receive_answer> done) {
    native_call c = call(script::receive, layer, {channel, std::to_string(count), std::to_string(wait_ms)});
    c.declare(std::string("q:").append(channel));
    run(std::move(c), [done = std::move(done)](call_failure failure, const resp::value& reply) {
        done({failure == call_failure::none, channels::messages_of(channels::read_waiting(reply))});
    });
}

void channel_store::put_back(const layer_ref& layer, std::string_view channel,
                             std::vector<channels::spooled_message> messages) {
    if (messages.empty()) return;
    native_call c = call(script::put_back, layer, {channel});
    c.declare(std::string("q:").append(channel));
    for (auto m = messages.rbegin(); m != messages.rend(); ++m) {
        c.add(std::to_string(m->expires_in_ms));
        c.add(channels::encode_spooled(*m, shard_.process.run_id));
    }
    run(std::move(c), {});
}

void channel_store::once(const layer_ref& layer, std::string_view key, std::int64_t keep_ms,
                         callback<store_result> done) {
    run(call(script::once, layer, {key, std::to_string(keep_ms)}),
        [done = std::move(done)](call_failure failure, const resp::value& reply) {
            if (failure != call_failure::none) return done(result_of(failure));
            done(reply.integer == 1 ? store_result::ok : store_result::duplicate);
        });
}

void channel_store::flush(const layer_ref& layer, callback<store_result> done) {
    flush_keys(layer, begin_request([done = std::move(done)](const request& r) {
                   const bool all = r.wanted && r.answered >= *r.wanted;
                   done(all ? store_result::ok : store_result::unavailable);
               }));
}

void channel_store::flush_keys(const layer_ref& layer, std::uint64_t request_id) {
    run(call(script::flush, layer, {"100"}),
        [this, layer, request_id](call_failure failure, const resp::value& reply) {
            if (failure != call_failure::none || reply.items.size() != 2) return finish_request(request_id);
            if (reply.items[0].integer > 0) return flush_keys(layer, request_id);
            for (const auto& node : reply.items[1].items) {
                node_message m;
                m.verb = node_verb::flush;
                m.layer = layer;
                m.request = request_id;
                publish(node.text, std::move(m));
            }
            expect(request_id, static_cast<std::uint32_t>(reply.items[1].items.size()));
        });
}

void channel_store::on_time(time_point now) {
    calls_.on_time(now);
    bus.on_time(now);
    std::vector<std::uint64_t> late;
    for (const auto& [id, r] : requests_)
        if (r.deadline <= now) late.push_back(id);
    for (const std::uint64_t id : late) finish_request(id);
}

}  // namespace sidecar
