#pragma once
// The node's inbox, on shard 0: one subscription per Redis instance, apart from the clients' (they neither
// see it nor are counted with it), and this node's registration with the layers of each db.
//
//   idle ── start ──→ subscribing ── confirmed ──→ registering ── heartbeat answered ──→ ready ─┐
//                         ↑ the subscription's connection was lost                              │
//                         └──────────────────────────────────────────────────────────────────────┘
//
// Only what subscribes before it registers is never registered deaf: a message published to a node that does
// not listen is noticed by its sender, who spools it.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "channels/node_message.hpp"
#include "sidecar/core/clock.hpp"

namespace sidecar {

class shard_core;

class channel_bus {
public:
    explicit channel_bus(shard_core& shard) : shard_(shard) {}

    // The first use of the native layer in a db. On shard 0.
    void start(int database);

    // --- from the shard's subscription link to an upstream
    void on_listener_ready(int upstream);
    void on_listener_lost(int upstream);
    void on_push(int upstream, std::string_view verb, std::string_view inbox, std::string_view bytes);

    void on_time(time_point now);

private:
    enum class state : std::uint8_t { idle, subscribing, registering, ready };
    struct site {
        state at = state::idle;
        time_point beat_at{};
        bool beating = false;
    };
    void subscribe(int upstream);
    void load_scripts(int database);
    void beat(int database);
    void route(std::shared_ptr<const channels::node_message> message);
    void tell_shards(int database, bool registered, bool again);
    [[nodiscard]] std::string inbox() const;

    shard_core& shard_;
    std::map<int, site> sites_;  // by db
};

}  // namespace sidecar
