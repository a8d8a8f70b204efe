// A process comes home: Redis is asked what it knows of it and what waited for it, and from that moment sends
// here what is for it. Group messages that come between are the difficulty: their members are not known yet.
//
//   HELLO ─→ shards: which group messages are under way? ─→ claim script ─→ memberships, spool ─→ greet
//                └ noted as early ─┬─ its script ran before the claim: it is in the spool, or handed over
//                                  └─ ran after it: nobody else has it, so it is given from here
//
// Redis counts claims, and each group message brings that count: this tells the two apart.
#include <algorithm>
#include <utility>

#include "sidecar/core/channel_group_call.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

namespace {

constexpr std::size_t early_messages_max = 10'000;  // of one claim
constexpr std::size_t given_messages_max = 2'000;
constexpr std::size_t given_bytes_max = 2U << 20U;
constexpr std::chrono::seconds given_kept{5};  // a node hears that a process was taken well within

// Sixteen digits.
std::string hex(std::uint64_t number) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4) out += digits[number >> shift & 15];
    return out;
}

}  // namespace

channel_service::home* channel_service::find_home(const std::string& key, std::uint64_t token) {
    const auto it = homes_.find(key);
    return it == homes_.end() || it->second->token != token ? nullptr : it->second.get();
}

channel_service::home* channel_service::open_home(const channels::layer_ref& layer,
                                                  const std::string& process) {
    channels::process* opened = hub_.open(layer, process);
    if (opened == nullptr) return nullptr;
    auto& made = homes_[key_of(layer, process)];
    made = std::make_unique<home>();
    made->in_hub = opened;
    made->token = next_token_++;
    made->session_id = shard_.process.run_id.substr(0, 16) +
                       hex(static_cast<std::uint64_t>(shard_.index) << 48 | made->token);
    opened->watcher = reinterpret_cast<channels::process_watcher*>(made.get());
    return made.get();
}

void channel_service::hello_at_home(const channel_caller& who, const shared_agreement& agreed) {
    home* known = find_home(agreed->layer, agreed->process);
    if (known == nullptr) known = open_home(agreed->layer, agreed->process);
    if (known == nullptr) {
        ++shard_.stats.count.channel_processes_refused;
        return answer_error(who, "ERR there are as many processes as one node may have");
    }
    known->agreed = agreed;
    known->lost_at.reset();
    known->in_hub->capacity = agreed->capacity_of(agreed->process + "!");
    known->in_hub->queue.set_channel_capacity(agreed->terms.channel_capacity);
    const connection from{who.shard, who.session};
    if (std::find(known->connections.begin(), known->connections.end(), from) == known->connections.end())
        known->connections.push_back(from);
    if (known->claim == claim_step::done) return greet(who, *known);
    known->greeted.push_back(who);
    if (known->greeted.size() == 1) claim(*known);
}

// The script may run only behind those of group messages that other shards have sent on their way without
// having heard of this home.
void channel_service::claim(home& which) {
    claiming_.push_back(&which);
    which.claim_waits = shard_.process.shards;
    const auto& layer = which.agreed->layer;
    const std::string key = key_of(layer, which.agreed->process);
    for (int i = 0; i < shard_.process.shards; ++i)
        to_shard(i, [layer, key, token = which.token, back = shard_.index](channel_service& there) {
            there.to_shard(back, [calls = there.group_calls_of(layer), key, token](channel_service& here) {
                home* at = here.find_home(key, token);
                if (at == nullptr) return;
                for (const auto& call : calls) {
                    const auto& wish = call->wish;
                    here.note_early(at->agreed->layer,
                                    {call,
                                     {{}, wish.group, wish.except, wish.body, wish.expiry_ms},
                                     here.shard_.now() + std::chrono::milliseconds(wish.expiry_ms)});
                }
                if (--at->claim_waits == 0) here.ask_store_for(key, token);
            });
        });
}

void channel_service::ask_store_for(const std::string& key, std::uint64_t token) {
    const auto& agreed = *find_home(key, token)->agreed;
    shard_.layer_store->claim(agreed.layer, agreed.process, agreed.terms.grace.count(),
                              [this, key, token](const claim_answer& got) { on_claimed(key, token, got); });
}

void channel_service::on_claimed(const std::string& key, std::uint64_t token, const claim_answer& got) {
    home* which = find_home(key, token);
    if (which == nullptr) return;
    if (!got.ok) {
        for (const auto& who : std::exchange(which->greeted, {})) refuse_hello(who, which->agreed);
        return drop(*which, "not claimed");
    }
    std::erase(claiming_, which);
    which->claim = claim_step::resolving;
    which->spooled = got.messages;
    for (const auto& each : got.memberships)
        hub_.join(*which->in_hub, each.group, each.channel,
                  shard_.now() + std::chrono::milliseconds(each.expires_in_ms), channels::told::must_be_told);
    which->claim_waits = 1;
    for (std::size_t i = 0; i < which->early.size(); ++i)
        if (which->early[i].call != nullptr) resolve(*which, i, got.claims);
    if (--which->claim_waits == 0) finish_claim(*which);
}

// Asks the shard of the caller whether its script ran before the claim.
void channel_service::resolve(home& which, std::size_t early, std::uint64_t claims) {
    ++which.claim_waits;
    const auto& call = which.early[early].call;
    const std::string key = key_of(which.agreed->layer, which.agreed->process);
    to_shard(call->who.shard, [call, key, token = which.token, early, claims,
                               back = shard_.index](channel_service& there) {
        there.when_answered(call, [&there, key, token, early, claims, back](const group_call& answered) {
            const auto& got = answered.remote;
            const bool due = got.result != store_result::duplicate &&
                             (got.result != store_result::ok || got.claims >= claims);
            there.to_shard(back, [key, token, early, due](channel_service& here) {
                home* at = here.find_home(key, token);
                if (at == nullptr) return;
                at->early[early].due = due;
                if (--at->claim_waits == 0) here.finish_claim(*at);
            });
        });
    });
}

void channel_service::finish_claim(home& which) {
    which.claim = claim_step::done;
    // What had waited comes before what has come since.
    const auto since = which.in_hub->queue.ungiven(shard_.now());
    which.in_hub->queue.clear();
    hub_.deliver_spooled(*which.in_hub, std::exchange(which.spooled, {}), shard_.now());
    for (auto& each : std::exchange(which.early, {})) {
        if (!each.due || !hub_.is_meant(*which.in_hub, each.what.group, each.what.except)) continue;
        each.what.expires_in_ms =
            std::chrono::duration_cast<std::chrono::milliseconds>(each.expires - shard_.now()).count();
        hub_.deliver_spooled(*which.in_hub, {std::move(each.what)}, shard_.now());
    }
    for (const auto& each : since) hub_.send(*which.in_hub, each.what, each.expires, shard_.now(), SIZE_MAX);
    for (const auto& who : std::exchange(which.greeted, {})) greet(who, which);
}

// --- group messages meanwhile

void channel_service::note_early(const channels::layer_ref& layer, const early_message& what) {
    for (home* at : claiming_) {
        if (at->agreed->layer != layer) continue;
        const bool noted =
            what.call != nullptr && std::any_of(at->early.begin(), at->early.end(),
                                                [&](const auto& each) { return each.call == what.call; });
        if (noted) continue;
        if (at->early.size() >= early_messages_max) {
            ++shard_.stats.count.channel_dropped_slow;
        } else {
            at->early.push_back(what);
        }
    }
}

channels::group_tally channel_service::deliver_group(const channels::layer_ref& layer, early_message what) {
    const auto& message = what.what;
    what.expires = shard_.now() + std::chrono::milliseconds(message.expires_in_ms);
    const auto tally =
        hub_.send_group(layer, message.group, *message.body, message.except, what.expires, shard_.now());
    auto& count = shard_.stats.count;
    if (tally.members > 0) ++count.channel_group_frames;
    count.channel_group_entries += tally.processes;
    count.channel_dropped_capacity += tally.dropped_capacity;
    count.channel_dropped_slow += tally.dropped_slow;
    if (!claiming_.empty()) note_early(layer, what);
    if (tally.members > 0 && what.call != nullptr) {
        given_bytes_ += what.call->wish.body->size();
        given_.push_back({std::move(what.call), shard_.now()});
        forget_given(shard_.now());
    }
    return tally;
}

channels::group_tally channel_service::on_group(const channels::layer_ref& layer, std::string_view group,
                                                channels::shared_payload body,
                                                const std::vector<std::string>& except,
                                                std::int64_t expiry_ms) {
    return deliver_group(layer, {nullptr, {{}, std::string(group), except, std::move(body), expiry_ms}});
}

std::vector<std::shared_ptr<channel_service::group_call>> channel_service::group_calls_of(
    const channels::layer_ref& layer) {
    std::vector<std::shared_ptr<group_call>> found;
    for (const auto& call : group_calls_)
        if (!call->answered && call->by->layer == layer) found.push_back(call);
    return found;
}

void channel_service::when_answered(const std::shared_ptr<group_call>& call,
                                    std::function<void(const group_call&)> then) {
    if (call->answered) return then(*call);
    call->then.push_back(std::move(then));
}

// --- a process goes: another node has claimed it

// What was given to it here although its script ran after that claim, has been sent to its new home, too.
struct channel_service::leaving {
    channels::layer_ref layer;
    std::vector<channels::spooled_message> messages;
    std::function<void(std::vector<channels::spooled_message>)> left;
    std::vector<std::shared_ptr<group_call>> elsewhere;
    int waiting = 1;
};

void channel_service::on_taken(const channels::layer_ref& layer, std::string_view process,
                               std::uint64_t claims,
                               std::function<void(std::vector<channels::spooled_message>)> left) {
    home* at = find_home(layer, process);
    if (at == nullptr) return;
    auto going = std::make_shared<leaving>();
    going->layer = layer;
    going->left = std::move(left);
    for (const auto& each : at->in_hub->queue.ungiven(shard_.now())) {
        if (each.what->is_notice()) continue;
        const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(each.expires - shard_.now());
        going->messages.push_back(channels::spooled(*each.what, time.count()));
    }
    std::vector<std::shared_ptr<group_call>> given;
    for (const auto& each : given_)
        if (each.call->by->layer == layer &&
            hub_.is_meant(*at->in_hub, each.call->wish.group, each.call->wish.except))
            given.push_back(each.call);
    drop(*at, "at home on another node");
    going->waiting += static_cast<int>(given.size());
    for (const auto& call : given)
        to_shard(call->who.shard, [call, going, claims, back = shard_.index](channel_service& there) {
            there.when_answered(call, [&there, call, going, claims, back](const group_call& answered) {
                const bool sent_there =
                    answered.remote.result == store_result::ok && answered.remote.claims >= claims;
                there.to_shard(back, [call, going, sent_there](channel_service& here) {
                    if (sent_there) going->elsewhere.push_back(call);
                    if (--going->waiting == 0) here.finish_leaving(*going);
                });
            });
        });
    if (--going->waiting == 0) finish_leaving(*going);
}

void channel_service::finish_leaving(leaving& process) {
    auto& messages = process.messages;
    for (const auto& call : process.elsewhere) {
        const auto newest = std::find_if(messages.rbegin(), messages.rend(), [&](const auto& each) {
            return each.group == call->wish.group && *each.body == *call->wish.body;
        });
        if (newest != messages.rend()) messages.erase(std::next(newest).base());
    }
    if (!messages.empty()) process.left(std::move(messages));
}

void channel_service::forget_given(time_point now) {
    while (!given_.empty() && (now - given_.front().at > given_kept || given_.size() > given_messages_max ||
                               given_bytes_ > given_bytes_max)) {
        given_bytes_ -= given_.front().call->wish.body->size();
        given_.pop_front();
    }
}

}  // namespace sidecar
