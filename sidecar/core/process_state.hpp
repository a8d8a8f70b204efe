#pragma once
// What the shards of one process share. Everything here is either immutable, atomic, or guarded inside.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/core/hand_over_registry.hpp"
#include "sidecar/core/policy.hpp"
#include "sidecar/core/receive_registry.hpp"
#include "sidecar/core/subscription_registry.hpp"
#include "sidecar/core/users.hpp"

namespace sidecar {

class shard_core;

// The settings of one moment. A reload makes a new one; the old stays until the process ends, since sessions
// point at its users.
struct runtime {
    explicit runtime(config c)
        : settings(std::move(c)), rules(settings.policy), users(settings.password, settings.users) {}
    config settings;
    policy rules;
    user_directory users;
};

struct process_state {
    using message = std::function<void(shard_core&)>;
    // Runs a message on another shard's thread; set by the I/O layer before any shard starts.
    std::function<void(int shard, message)> post;
    int shards = 1;
    std::string run_id;
    std::int64_t start_unix_time = 0;
    std::atomic<std::uint64_t> next_client_id{1};
    std::atomic<std::uint64_t> clients{0};
    std::atomic<std::uint64_t> next_put_back{1};
    subscription_registry registry;
    receive_registry receives;
    hand_over_registry hand_overs;
    rate_table rates;
    // By shard: queues of receivers that no connection waits for (see receiver_pool).
    std::array<std::atomic<std::uint32_t>, 64> uncovered_receivers{};
    // Takes a batch of notes about brokers' traffic (broker/note_batch.hpp), on any shard's thread, without
    // blocking. Set before any shard starts; empty = nobody observes.
    std::function<void(broker::note_batch batch)> broker_notes;
    // By shard: kinds of reserving pops that wait (see poller).
    std::array<std::atomic<std::uint32_t>, 64> reserving_pops{};
    // Structured log line: level, event, fields as key/value pairs.
    std::function<void(char level, std::string_view event,
                       const std::vector<std::pair<std::string, std::string>>& fields)>
        log;
};

}  // namespace sidecar
