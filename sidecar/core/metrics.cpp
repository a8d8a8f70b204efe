#include "sidecar/core/metrics.hpp"

#include <algorithm>

namespace sidecar {

namespace {

struct counter_row {
    const char* name;
    const char* help;
    std::uint64_t counters::*member;
};

constexpr counter_row counter_rows[] = {
    {"clients_accepted_total", "Client connections accepted.", &counters::clients_accepted},
    {"clients_refused_max_total", "Connections refused because max-clients was reached.",
     &counters::clients_refused_max},
    {"clients_closed_output_total", "Clients closed because they did not read their replies.",
     &counters::clients_closed_output},
    {"clients_closed_hold_total", "Clients closed because upstream was away longer than the hold.",
     &counters::clients_closed_hold},
    {"clients_closed_unknown_outcome_total",
     "Clients closed because upstream was lost with their write unanswered.",
     &counters::clients_closed_unknown_outcome},
    {"clients_closed_auth_flood_total", "Clients closed after too many failed authentications.",
     &counters::clients_closed_auth_flood},
    {"clients_closed_auth_timeout_total",
     "Clients closed because their TLS handshake or authentication took longer than auth-timeout.",
     &counters::clients_closed_auth_timeout},
    {"clients_closed_for_room_total",
     "Unauthenticated clients closed at max-clients so that others could come.",
     &counters::clients_closed_for_room},
    {"clients_closed_idle_lease_total",
     "Clients closed because they kept a WATCH or MULTI open and idle while others waited for a lease.",
     &counters::clients_closed_idle_lease},
    {"commands_refused_busy_total",
     "Commands answered -BUSY here because a script kept Redis from reading them.",
     &counters::commands_refused_busy},
    {"tls_handshakes_failed_total", "TLS clients that ended before their handshake was done.",
     &counters::tls_handshakes_failed},
    {"protocol_errors_total", "Clients closed because of malformed frames.", &counters::protocol_errors},
    {"auth_failures_total", "Failed authentications of clients.", &counters::auth_failures},
    {"client_input_bytes_total", "Bytes read from clients.", &counters::bytes_from_clients},
    {"client_output_bytes_total", "Bytes written to clients.", &counters::bytes_to_clients},
    {"client_writes_total", "Writes to clients that the kernel took something of.", &counters::client_writes},
    {"upstream_input_bytes_total", "Bytes read from upstream.", &counters::bytes_from_upstream},
    {"upstream_output_bytes_total", "Bytes written to upstream.", &counters::bytes_to_upstream},
    {"local_commands_total", "Commands answered by the sidecar itself.", &counters::local_commands},
    {"whole_transactions_total", "Transactions that arrived whole and needed no lease.",
     &counters::whole_transactions},
    {"leases_granted_total", "Dedicated upstream connections handed to clients.", &counters::leases_granted},
    {"leases_destroyed_total", "Dedicated upstream connections closed rather than reused.",
     &counters::leases_destroyed},
    {"lease_waits_total", "Requests that had to wait for a dedicated connection.", &counters::lease_waits},
    {"lease_wait_timeouts_total", "Clients closed because no dedicated connection became free in time.",
     &counters::lease_wait_timeouts},
    {"parked_calls_total", "Blocking calls parked.", &counters::parked_calls},
    {"parked_calls_reissued_total", "Parked calls issued again after upstream was lost.",
     &counters::parked_reissued},
    {"polls_total", "Non-blocking pops sent for calls without a connection of their own.", &counters::polls},
    {"pops_unknown_total", "Parked pops whose upstream died: an element may have died with it.",
     &counters::pops_unknown},
    {"put_backs_total", "Pops put back because their client was gone.", &counters::put_backs},
    {"put_backs_failed_total", "Put-backs that Redis refused and that are tried again.",
     &counters::put_backs_failed},
    {"put_backs_dropped_total", "Put-backs given up.", &counters::put_backs_dropped},
    {"links_opened_total", "Upstream connections opened.", &counters::links_opened},
    {"links_lost_total", "Upstream connections lost.", &counters::links_lost},
    {"link_framing_errors_total", "Upstream connections dropped because of malformed replies.",
     &counters::link_framing_errors},
    {"reads_retried_total", "Reads sent again after their connection was lost.", &counters::reads_retried},
    {"unconfined_links_total", "Links that stayed the full user because upstream forbids ACL SETUSER.",
     &counters::unconfined_links},
    {"messages_delivered_total", "Pub/sub messages delivered to clients.", &counters::messages_delivered},
    {"messages_filtered_total", "Pub/sub messages withheld because their channel belongs to another db.",
     &counters::messages_filtered},
    {"subscription_gaps_total",
     "Times subscriptions were replayed after an outage; messages in between are lost.",
     &counters::subscription_gaps},
    {"publish_fences_total", "Publishes that waited for a pending subscription.", &counters::publish_fences},
    {"backpressure_stalls_total", "Times a client was not read because of its own unread replies.",
     &counters::backpressure_stalls},
    {"lane_swaps_total", "Times a link was set apart for a large reply.", &counters::lane_swaps},
    {"accept_failures_total", "Failed accepts (out of descriptors).", &counters::accept_failures},
    {"channels_receives_total", "Receives of channels_redis that waited without a connection of their own.",
     &counters::channels_receives},
    {"channels_early_nils_total", "Of those, how many were answered nil before the client's own timeout.",
     &counters::channels_early_nils},
    {"channels_shared_waits_total", "Waits for many of their queues on one connection.",
     &counters::channels_shared_waits},
    {"channels_put_backs_total", "Messages of given-up receives that went back to their queue.",
     &counters::channels_put_backs},
    {"channels_receives_untracked_total", "Messages delivered while no more could be followed.",
     &counters::channels_receives_untracked},
    {"channels_cleanups_withheld_total",
     "Cleanups that would have put back what another receive was working on.",
     &counters::channels_cleanups_withheld},
    {"channels_scripts_by_hash_total", "Scripts of channels_redis sent by their hash.",
     &counters::channels_scripts_by_hash},
    {"channels_over_capacity_total", "Queues that a group_send found full: the message was dropped there.",
     &counters::channels_over_capacity},
    {"channels_outage_events_total", "Messages that told the pub/sub layer's consumers of an outage.",
     &counters::channels_outage_events},
    {"broker_hand_overs_total", "Messages popped by workers and followed until they were noted.",
     &counters::broker_followed},
    {"broker_hand_overs_no_room_total", "Messages not followed because too many already were.",
     &counters::broker_not_followed},
    {"broker_hand_over_put_backs_total", "Messages put back because their worker left without noting them.",
     &counters::broker_put_backs},
    {"broker_withheld_total", "Messages that a rule kept from workers.", &counters::broker_withheld},
    {"broker_tap_drops_total", "Batches of notes dropped because upstream did not answer.",
     &counters::broker_notes_dropped},
    {"channels_messages_total", "CH.SENDs to processes at home on this node.", &counters::channel_messages},
    {"channels_messages_refused_total", "CH.SENDs refused because the channel was full.",
     &counters::channel_messages_refused},
    {"channels_group_messages_total", "CH.GSENDs of this node's clients.", &counters::channel_group_messages},
    {"channels_group_frames_total", "Group messages encoded: once per shard with members.",
     &counters::channel_group_frames},
    {"channels_group_entries_total", "Group messages put into queues: once per process with members.",
     &counters::channel_group_entries},
    {"channels_dropped_capacity_total",
     "Members a group message did not reach: the process's queue was full.",
     &counters::channel_dropped_capacity},
    {"channels_dropped_slow_total",
     "Members a group message did not reach: the process had too many bytes unread.",
     &counters::channel_dropped_slow},
    {"channels_replies_total", "Replies of CH.RECV with messages.", &counters::channel_replies},
    {"channels_messages_given_total", "Messages in replies of CH.RECV.", &counters::channel_messages_given},
    {"channels_bytes_copied_total", "Bytes of messages copied into clients' output, once per process.",
     &counters::channel_bytes_copied},
    {"channels_bytes_shared_total", "Bytes of large messages that clients' output refers to uncopied.",
     &counters::channel_bytes_shared},
    {"channels_processes_lost_total", "Processes forgotten: without a connection for their grace time.",
     &counters::channel_processes_lost},
    {"channels_processes_refused_total", "CH.HELLOs refused because of too many processes.",
     &counters::channel_processes_refused},
    {"channels_memberships_refused_total", "Memberships refused because the process had too many.",
     &counters::channel_memberships_refused},
    {"channels_errors_total", "CH.* commands that were malformed.", &counters::channel_errors},
    {"channels_node_messages_total", "Messages of other nodes that came into this node's inbox.",
     &counters::channel_node_messages},
    {"channels_node_messages_unreadable_total", "Of those, how many could not be read and were dropped.",
     &counters::channel_node_messages_unreadable},
    {"channels_calls_failed_total",
     "Scripts of the layer that Redis refused, or did not answer within --hold.",
     &counters::channel_calls_failed},
};

struct gauge_row {
    const char* name;
    const char* help;
    std::uint64_t gauges::*member;
};

constexpr gauge_row gauge_rows[] = {
    {"clients", "Connected clients.", &gauges::clients},
    {"clients_blocked", "Clients in a blocking call.", &gauges::clients_blocked},
    {"clients_subscribed", "Clients with subscriptions.", &gauges::clients_subscribed},
    {"clients_leased", "Clients holding a dedicated connection.", &gauges::clients_leased},
    {"clients_unauthenticated", "Clients yet to finish their TLS handshake or to authenticate.",
     &gauges::clients_unauthenticated},
    {"leases_in_use", "Dedicated upstream connections in use.", &gauges::leases_in_use},
    {"leases_idle", "Dedicated upstream connections kept warm.", &gauges::leases_idle},
    {"lease_waiters", "Requests waiting for a dedicated connection.", &gauges::lease_waiters},
    {"links_ready", "Shared upstream connections in use.", &gauges::links_ready},
    {"links_down", "Shared upstream connections being re-established.", &gauges::links_down},
    {"commands_in_flight", "Commands sent or waiting to be sent, not answered.", &gauges::commands_in_flight},
    {"subscribed_names", "Upstream subscriptions.", &gauges::channels},
    {"client_output_buffer_bytes", "Bytes waiting for clients to read.", &gauges::output_bytes},
    {"channels_receivers", "Receivers of channels_redis that wait.", &gauges::channels_receivers},
    {"channels_receiver_connections", "Upstream connections that wait for them.",
     &gauges::channels_receiver_connections},
    {"channels_receives_open", "Messages popped whose receive is not over.", &gauges::channels_receives_open},
    {"channels_receive_bytes", "Bytes kept of them.", &gauges::channels_receive_bytes},
    {"channels_processes", "Processes of the channel layer at home here.", &gauges::channel_processes},
    {"channels_groups", "Groups with members here, per shard.", &gauges::channel_groups},
    {"channels_memberships", "Memberships of channels at home here.", &gauges::channel_memberships},
    {"channels_queued", "Messages unread or unacknowledged.", &gauges::channel_queued},
    {"channels_queued_bytes", "Bytes of messages unread or unacknowledged.", &gauges::channel_queued_bytes},
    {"channels_readers", "CH.RECVs that wait.", &gauges::channel_readers},
};

void head(std::string& out, const std::string& name, const char* help, const char* type) {
    out += "# HELP sidecar_" + name + " " + help + "\n# TYPE sidecar_" + name + " " + type + "\n";
}

std::string labels(std::size_t db, const std::string& command) {
    return "{db=\"" + (db < database_count ? std::to_string(db) : std::string("other")) + "\",command=\"" +
           command + "\"";
}

std::string seconds(std::uint64_t us) {
    const std::string fraction = std::to_string(us % 1'000'000);
    std::string text =
        std::to_string(us / 1'000'000) + "." + std::string(6 - fraction.size(), '0') + fraction;
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text;
}

void render_histogram(std::string& out, const std::string& label, const command_counters& c) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < latency_bounds_us.size(); ++i) {
        sum += c.buckets[i];
        out += "sidecar_command_duration_seconds_bucket" + label + ",le=\"" + seconds(latency_bounds_us[i]) +
               "\"} " + std::to_string(sum) + "\n";
    }
    out += "sidecar_command_duration_seconds_bucket" + label + ",le=\"+Inf\"} " + std::to_string(c.answered) +
           "\n";
    out += "sidecar_command_duration_seconds_sum" + label + "} " + seconds(c.total_us) + "\n";
    out += "sidecar_command_duration_seconds_count" + label + "} " + std::to_string(c.answered) + "\n";
}

}  // namespace

command_counters& command_counters::operator+=(const command_counters& other) {
    calls += other.calls;
    errors += other.errors;
    answered += other.answered;
    total_us += other.total_us;
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
    return *this;
}

command_counters& metrics::open_row(int db, std::uint16_t command) {
    auto& row = commands_[std::min<std::size_t>(static_cast<std::size_t>(db), metric_databases - 1)];
    if (row.size() <= command) row.resize(command + 1U);
    auto& cell = row[command];
    if (!cell) cell = std::make_unique<command_counters>();
    return *cell;
}

metrics& metrics::operator+=(const metrics& other) {
    for (std::size_t db = 0; db < metric_databases; ++db)
        for (std::size_t i = 0; i < other.commands_[db].size(); ++i)
            if (other.commands_[db][i])
                of(static_cast<int>(db), static_cast<std::uint16_t>(i)) += *other.commands_[db][i];
    for (const auto& row : counter_rows) count.*row.member += other.count.*row.member;
    for (const auto& row : gauge_rows) now.*row.member += other.now.*row.member;
    for (const auto& [key, n] : other.refusals_) refusals_[key] += n;
    for (std::size_t i = 0; i < upstream_up.size(); ++i) upstream_up[i] += other.upstream_up[i];
    shards += other.shards;
    return *this;
}

std::uint64_t metrics::refusals_total() const {
    std::uint64_t sum = 0;
    for (const auto& [key, n] : refusals_) sum += n;
    return sum;
}

std::uint64_t metrics::calls_total() const {
    std::uint64_t sum = 0;
    for (const auto& row : commands_)
        for (const auto& cell : row)
            if (cell) sum += cell->calls;
    return sum;
}

std::string metrics::render(const std::vector<std::string>& command_names) const {
    std::string out;
    for (const auto& row : counter_rows) {
        head(out, row.name, row.help, "counter");
        out += std::string("sidecar_") + row.name + " " + std::to_string(count.*row.member) + "\n";
    }
    for (const auto& row : gauge_rows) {
        head(out, row.name, row.help, "gauge");
        out += std::string("sidecar_") + row.name + " " + std::to_string(now.*row.member) + "\n";
    }
    head(out, "upstream_up", "1 when upstream of this db is usable from every shard.", "gauge");
    for (std::size_t db = 0; db < upstream_up.size(); ++db)
        out += "sidecar_upstream_up{db=\"" + std::to_string(db) + "\"} " +
               (shards > 0 && upstream_up[db] == shards ? "1" : "0") + "\n";
    head(out, "policy_refusals_total", "Commands the policy refused (or, in audit, would have).", "counter");
    for (const auto& [key, n] : refusals_)
        out += "sidecar_policy_refusals_total{rule=\"" + key.first + "\",db=\"" + std::to_string(key.second) +
               "\"} " + std::to_string(n) + "\n";

    const auto each = [&](auto&& emit) {
        for (std::size_t db = 0; db < metric_databases; ++db)
            for (std::size_t i = 0; i < commands_[db].size(); ++i)
                if (commands_[db][i])
                    emit(labels(db, i < command_names.size() ? command_names[i] : "unknown"),
                         *commands_[db][i]);
    };
    head(out, "commands_total", "Commands received, by db and command.", "counter");
    each([&](const std::string& label, const command_counters& c) {
        out += "sidecar_commands_total" + label + "} " + std::to_string(c.calls) + "\n";
    });
    head(out, "command_errors_total", "Error replies, by db and command.", "counter");
    each([&](const std::string& label, const command_counters& c) {
        if (c.errors > 0)
            out += "sidecar_command_errors_total" + label + "} " + std::to_string(c.errors) + "\n";
    });
    head(out, "command_duration_seconds", "Time from reading a command to reading upstream's whole reply.",
         "histogram");
    each([&](const std::string& label, const command_counters& c) {
        if (c.answered > 0) render_histogram(out, label, c);
    });
    return out;
}

}  // namespace sidecar
