#pragma once
// What one shard counts. Plain numbers without locks: the shard adds, a snapshot is copied out when scraped
// and the shards' snapshots are summed.

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sidecar/config/config.hpp"

namespace sidecar {

// Upper bounds in microseconds; the last bucket is open.
inline constexpr std::array<std::uint32_t, 14> latency_bounds_us{
    100,    250,    500,     1'000,   2'500,   5'000,     10'000,
    25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 5'000'000};

struct command_counters {
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;
    std::uint64_t answered = 0;  // of those, how many upstream answered and were timed
    std::uint64_t total_us = 0;
    std::array<std::uint64_t, latency_bounds_us.size() + 1> buckets{};

    void add_latency(std::uint32_t us) {
        ++answered;
        total_us += us;
        std::size_t bucket = 0;
        while (bucket < latency_bounds_us.size() && us > latency_bounds_us[bucket]) ++bucket;
        ++buckets[bucket];
    }
    command_counters& operator+=(const command_counters& other);
};

// Databases beyond the three (open policy) are counted together as the last.
inline constexpr std::size_t metric_databases = database_count + 1;

// X-list free counters: name, help and member stand in metrics.cpp's table.
struct counters {
    std::uint64_t clients_accepted = 0;
    std::uint64_t clients_refused_max = 0;
    std::uint64_t clients_closed_output = 0;
    std::uint64_t clients_closed_hold = 0;
    std::uint64_t clients_closed_unknown_outcome = 0;
    std::uint64_t clients_closed_auth_flood = 0;
    std::uint64_t clients_closed_auth_timeout = 0;
    std::uint64_t clients_closed_for_room = 0;
    std::uint64_t clients_closed_idle_lease = 0;
    std::uint64_t commands_refused_busy = 0;
    std::uint64_t tls_handshakes_failed = 0;
    std::uint64_t protocol_errors = 0;
    std::uint64_t auth_failures = 0;
    std::uint64_t bytes_from_clients = 0;
    std::uint64_t bytes_to_clients = 0;
    std::uint64_t client_writes = 0;
    std::uint64_t bytes_from_upstream = 0;
    std::uint64_t bytes_to_upstream = 0;
    std::uint64_t local_commands = 0;
    std::uint64_t whole_transactions = 0;
    std::uint64_t leases_granted = 0;
    std::uint64_t leases_destroyed = 0;
    std::uint64_t lease_waits = 0;
    std::uint64_t lease_wait_timeouts = 0;
    std::uint64_t parked_calls = 0;
    std::uint64_t parked_reissued = 0;
    std::uint64_t polls = 0;
    std::uint64_t pops_unknown = 0;
    std::uint64_t put_backs = 0;
    std::uint64_t put_backs_failed = 0;
    std::uint64_t put_backs_dropped = 0;
    std::uint64_t links_opened = 0;
    std::uint64_t links_lost = 0;
    std::uint64_t link_framing_errors = 0;
    std::uint64_t reads_retried = 0;
    std::uint64_t unconfined_links = 0;
    std::uint64_t messages_delivered = 0;
    std::uint64_t messages_filtered = 0;
    std::uint64_t subscription_gaps = 0;
    std::uint64_t publish_fences = 0;
    std::uint64_t backpressure_stalls = 0;
    std::uint64_t lane_swaps = 0;
    std::uint64_t accept_failures = 0;
    std::uint64_t channels_receives = 0;
    std::uint64_t channels_early_nils = 0;
    std::uint64_t channels_shared_waits = 0;
    std::uint64_t channels_put_backs = 0;
    std::uint64_t channels_receives_untracked = 0;
    std::uint64_t channels_cleanups_withheld = 0;
    std::uint64_t channels_scripts_by_hash = 0;
    std::uint64_t channels_over_capacity = 0;
    std::uint64_t channels_outage_events = 0;
    std::uint64_t broker_followed = 0;
    std::uint64_t broker_not_followed = 0;
    std::uint64_t broker_put_backs = 0;
    std::uint64_t broker_withheld = 0;
    std::uint64_t broker_notes_dropped = 0;
    std::uint64_t channel_messages = 0;
    std::uint64_t channel_messages_refused = 0;
    std::uint64_t channel_group_messages = 0;
    std::uint64_t channel_group_frames = 0;
    std::uint64_t channel_group_entries = 0;
    std::uint64_t channel_dropped_capacity = 0;
    std::uint64_t channel_dropped_slow = 0;
    std::uint64_t channel_replies = 0;
    std::uint64_t channel_messages_given = 0;
    std::uint64_t channel_bytes_copied = 0;
    std::uint64_t channel_bytes_shared = 0;
    std::uint64_t channel_processes_lost = 0;
    std::uint64_t channel_processes_refused = 0;
    std::uint64_t channel_memberships_refused = 0;
    std::uint64_t channel_errors = 0;
    std::uint64_t channel_node_messages = 0;
    std::uint64_t channel_node_messages_unreadable = 0;
    std::uint64_t channel_calls_failed = 0;
};

struct gauges {
    std::uint64_t clients = 0;
    std::uint64_t clients_blocked = 0;
    std::uint64_t clients_subscribed = 0;
    std::uint64_t clients_leased = 0;
    std::uint64_t clients_unauthenticated = 0;
    std::uint64_t leases_in_use = 0;
    std::uint64_t leases_idle = 0;
    std::uint64_t lease_waiters = 0;
    std::uint64_t links_ready = 0;
    std::uint64_t links_down = 0;
    std::uint64_t commands_in_flight = 0;
    std::uint64_t channels = 0;
    std::uint64_t output_bytes = 0;
    std::uint64_t channels_receivers = 0;
    std::uint64_t channels_receiver_connections = 0;
    std::uint64_t channels_receives_open = 0;
    std::uint64_t channels_receive_bytes = 0;
    std::uint64_t channel_processes = 0;
    std::uint64_t channel_groups = 0;
    std::uint64_t channel_memberships = 0;
    std::uint64_t channel_queued = 0;
    std::uint64_t channel_queued_bytes = 0;
    std::uint64_t channel_readers = 0;
};

class metrics {
public:
    metrics() = default;
    metrics(const metrics& other) { *this += other; }
    metrics& operator=(const metrics&) = delete;

    [[nodiscard]] command_counters& of(int db, std::uint16_t command) {
        const auto& row =
            commands_[std::min<std::size_t>(static_cast<std::size_t>(db), metric_databases - 1)];
        if (command < row.size() && row[command]) return *row[command];
        return open_row(db, command);
    }
    void refused(std::string_view rule, int db) { ++refusals_[{std::string(rule), db}]; }

    metrics& operator+=(const metrics& other);

    counters count;
    gauges now;
    // Per db: is upstream usable (summed over shards: number of shards that say so).
    std::array<std::uint32_t, database_count> upstream_up{};
    std::uint32_t shards = 0;

    // Prometheus text exposition. `command_names[i]` names command index i.
    [[nodiscard]] std::string render(const std::vector<std::string>& command_names) const;
    [[nodiscard]] std::uint64_t refusals_total() const;
    [[nodiscard]] std::uint64_t calls_total() const;

private:
    command_counters& open_row(int db, std::uint16_t command);

    std::array<std::vector<std::unique_ptr<command_counters>>, metric_databases> commands_;
    std::map<std::pair<std::string, int>, std::uint64_t> refusals_;
};

}  // namespace sidecar
