#include "sidecar/core/channel_bus.hpp"

#include <utility>

#include "channels/native_scripts.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/channel_store.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

using channels::node_verb;

namespace {

constexpr std::chrono::seconds beat_interval{1};
constexpr std::string_view swept_per_beat_max = "500";  // memberships of dead nodes' processes

// What each shard of this node has to say, summed up on shard 0.
struct gathering {
    int missing = 0;
    channels::group_tally tally;
};

bool concerns_every_shard(node_verb verb) {
    return verb == node_verb::group || verb == node_verb::wake || verb == node_verb::flush;
}

// The process whose shard answers.
std::string_view process_in(const channels::node_message& m) {
    switch (m.verb) {
        case node_verb::join:
        case node_verb::leave:
            return m.names.empty() ? std::string_view{} : channels::process_of(m.names.front());
        case node_verb::taken:
        case node_verb::handover:
            return m.name;
        default:
            return channels::process_of(m.name);
    }
}

}  // namespace

std::string channel_bus::inbox() const {
    return std::string(channels::inbox_prefix) + shard_.process.run_id;
}

void channel_bus::start(int database) {
    site& s = sites_[database];
    if (s.at != state::idle) return;
    s.at = state::subscribing;
    upstream& u = shard_.upstream_of(database);
    if (u.listener->ready()) {
        subscribe(u.index);
    } else {
        u.listener->open_now();
    }
}

void channel_bus::subscribe(int upstream_index) {
    link* listener = shard_.upstreams()[static_cast<std::size_t>(upstream_index)]->listener;
    listener->send_unanswered(resp::command({"SUBSCRIBE", inbox()}));
}

void channel_bus::on_listener_ready(int upstream_index) {
    for (const auto& [database, s] : sites_)
        if (s.at != state::idle && shard_.upstream_of(database).index == upstream_index)
            return subscribe(upstream_index);
}

void channel_bus::on_listener_lost(int upstream_index) {
    for (auto& [database, s] : sites_) {
        if (s.at == state::idle || shard_.upstream_of(database).index != upstream_index) continue;
        s.at = state::subscribing;
        tell_shards(database, false, false);
        shard_.upstream_of(database).listener->open_now();
    }
}

void channel_bus::on_push(int upstream_index, std::string_view verb, std::string_view name,
                          std::string_view bytes) {
    if (name != inbox()) return;
    if (verb == "subscribe") {
        for (auto& [database, s] : sites_) {
            if (s.at != state::subscribing || shard_.upstream_of(database).index != upstream_index) continue;
            s.at = state::registering;
            load_scripts(database);
            beat(database);
        }
    }
    if (verb != "message") return;
    ++shard_.stats.count.channel_node_messages;
    auto message = channels::decode_node_message(bytes);
    if (!message) {
        ++shard_.stats.count.channel_node_messages_unreadable;
        return;
    }
    route(std::make_shared<const channels::node_message>(std::move(*message)));
}

// So that no call is ever told NOSCRIPT, and order holds.
void channel_bus::load_scripts(int database) {
    for (const auto& command : channels::load_commands()) shard_.layer_store->calls_.tell(database, command);
}

void channel_bus::beat(int database) {
    site& s = sites_[database];
    s.beating = true;
    s.beat_at = shard_.now() + beat_interval;
    channels::native_call call(channels::script::heartbeat, {database, ""}, shard_.process.run_id,
                               {swept_per_beat_max});
    shard_.layer_store->calls_.run_now(std::move(call),
                                       [this, database](call_failure failure, const resp::value& reply) {
                                           site& at = sites_[database];
                                           at.beating = false;
                                           if (failure != call_failure::none || reply.items.empty()) return;
                                           const bool known = reply.items[0].integer != 0;
                                           if (at.at == state::registering) {
                                               at.at = state::ready;
                                               tell_shards(database, true, !known);
                                           } else if (at.at == state::ready && !known) {
                                               tell_shards(database, true, true);
                                           }
                                       });
}

void channel_bus::tell_shards(int database, bool registered, bool again) {
    for (int i = 0; i < shard_.process.shards; ++i)
        shard_.process.post(i, [database, registered, again](shard_core& s) {
            if (!registered) return s.layer_store->on_unregistered(database);
            s.layer_store->on_registered(
                database, again ? channel_store::registered::again : channel_store::registered::still);
        });
}

void channel_bus::on_time(time_point now) {
    for (const auto& [database, s] : sites_) {
        const bool due = !s.beating && now >= s.beat_at;
        if (due && (s.at == state::ready || s.at == state::registering)) return beat(database);
    }
}

void channel_bus::route(std::shared_ptr<const channels::node_message> message) {
    const int shards = shard_.process.shards;
    const auto hand_to = [&](int shard) {
        shard_.process.post(shard, [message](shard_core& s) { s.layer_store->serve(message); });
    };
    if (message->verb == node_verb::answer)
        return hand_to(static_cast<int>(message->request % static_cast<std::uint64_t>(shards)));
    if (!concerns_every_shard(message->verb))
        return hand_to(channels::home_shard(message->layer, process_in(*message), shards));
    if (message->request == 0) {
        for (int i = 0; i < shards; ++i) hand_to(i);
        return;
    }
    auto sum = std::make_shared<gathering>(gathering{shards, {}});
    for (int i = 0; i < shards; ++i)
        shard_.process.post(i, [message, sum](shard_core& s) {
            const auto tally = s.layer_store->serve(message);
            s.process.post(0, [message, sum, tally](shard_core& first) {
                sum->tally.add(tally);
                if (--sum->missing == 0) first.layer_store->answer_to(*message, store_result::ok, sum->tally);
            });
        });
}

}  // namespace sidecar
