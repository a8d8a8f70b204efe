#pragma once
// Everything the sidecar knows of the brokers from what passes by: fed with notes in the order of each
// client, asked by the inspector, the API, the findings and the metrics. It lives on the control thread alone
// and does no I/O; `observer_store` keeps in Redis what must outlive the process.
//
// Every table is bounded by observer_limits; what does not fit is counted and later answered as unknown.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/elsewhere.hpp"
#include "broker/kombu_names.hpp"
#include "broker/observer_views.hpp"
#include "broker/wire_note.hpp"

namespace broker {

struct observer_limits {
    std::size_t tags_max = 1'000'000;   // waiting messages whose enqueue time is kept
    std::size_t unacked_max = 200'000;  // messages at workers whose owner is kept
    std::size_t lists_max = 10'000;     // queue lists
    std::size_t clients_max = 100'000;  // sockets
    std::size_t workers_max = 5'000;    // processes and nodes, those gone included
    std::size_t tasks_max = 50'000;     // task records, least recently changed forgotten first
    std::size_t task_names_max = 500;   // task types with figures of their own
    std::int64_t orphan_after_us = 5'000'000;
    std::int64_t consumer_fresh_us = 10'000'000;       // a consumer that has not polled for longer is none
    std::int64_t worker_forget_us = 600'000'000;       // gone workers are shown this long
    std::int64_t message_forget_us = 604'800'000'000;  // enqueue times are dropped after a week
};

struct observer_counts {
    std::uint64_t notes = 0;
    std::uint64_t gaps = 0;
    std::uint64_t unreadable_messages = 0;  // pushed or popped, not kombu's
    std::uint64_t unreadable_events = 0;
    std::uint64_t events = 0;
    std::uint64_t tags_refused = 0;     // tags_max reached
    std::uint64_t unacked_refused = 0;  // unacked_max reached
    std::uint64_t lists_refused = 0;
    std::uint64_t clients_refused = 0;
    std::uint64_t tasks_forgotten = 0;
    std::uint64_t put_backs = 0;
    std::uint64_t reserved_backs = 0;
    std::uint64_t redeliveries = 0;
    std::uint64_t orphans_seen = 0;
    std::uint64_t silent_drops = 0;
    std::map<std::string, std::uint64_t> withheld;  // by the rule that took it
};

class observer {
public:
    explicit observer(observer_limits limits = {});
    ~observer();
    observer(const observer&) = delete;
    observer& operator=(const observer&) = delete;

    void on_note(const wire_note& note);
    // Notes were lost: what depends on completeness (owners, oldest ages) becomes unknown from here.
    void on_gap(std::int64_t now_us);
    // The clients that are open, as the process knows them: after a gap some were lost without a note.
    void retain_clients(const std::vector<std::uint64_t>& open, std::int64_t now_us);
    // What Redis itself says about a list, asked now and then by observer_store: how long it is, and the tag
    // at its head when that was read.
    void on_depth(std::uint8_t db, std::string_view key, std::uint64_t depth,
                  const std::optional<std::string>& head_tag, std::int64_t now_us);
    // A list that is there, found by looking into Redis: it may have stood before anything passed by.
    void know_list(std::uint8_t db, std::string_view key);
    // What a worker answered to `stats`: its pool's size and its prefetch count.
    void on_stats(const broker_id& broker, std::string_view node, std::int64_t concurrency,
                  std::int64_t prefetch);
    // What other sidecars on this Redis tell.
    void set_elsewhere(elsewhere others);
    // Once a second or oftener: rates move on, the dead are declared dead, the old is forgotten.
    void tick(std::int64_t now_us);

    // Called for every Celery event, decoded (JSON text of one event), for live views.
    using event_sink = std::function<void(const broker_id&, std::string_view type, std::string_view json)>;
    void set_event_sink(event_sink sink);

    // Names and places.
    [[nodiscard]] std::vector<broker_id> brokers() const;  // unprefixed first; only those with traffic
    // Prefix, separator and steps; several when its clients differ, kombu's own when none was learnt.
    [[nodiscard]] std::vector<naming> namings(const broker_id&) const;
    // Names of the unacked hash and index as used by this broker's clients.
    [[nodiscard]] std::string unacked_key(const broker_id&) const;
    [[nodiscard]] std::string unacked_index_key(const broker_id&) const;
    // What stands before the keys of results on this db, besides nothing.
    [[nodiscard]] std::vector<std::string> result_prefixes(std::uint8_t db) const;
    [[nodiscard]] std::vector<queue_view> queues() const;  // of all brokers, by broker and name
    [[nodiscard]] std::optional<queue_view> queue(const broker_id&, std::string_view name) const;

    // Clients and workers.
    [[nodiscard]] std::vector<client_view> clients() const;
    [[nodiscard]] std::vector<worker_view> workers() const;  // by broker and node
    // Hosts and nodes of what consumes or acknowledges and has a socket open here; a node may be empty.
    [[nodiscard]] std::vector<worker_place> worker_places() const;
    [[nodiscard]] std::vector<visibility_view> visibility_timeouts() const;
    [[nodiscard]] std::optional<double> visibility_timeout_s(const broker_id&) const;  // the shortest seen

    // Messages.
    [[nodiscard]] std::optional<std::int64_t> enqueued_at_us(std::string_view tag) const;
    [[nodiscard]] owner_view owner_of(const broker_id&, std::string_view tag) const;
    [[nodiscard]] std::uint64_t redeliveries(std::string_view tag) const;  // deliveries after the first
    [[nodiscard]] std::vector<orphan_view> orphans() const;                // at most 10,000
    // What an unacknowledged message is doing, as far as events, its ETA and its owner tell.
    [[nodiscard]] unacked_state state_of(const broker_id&, std::string_view tag) const;
    [[nodiscard]] std::map<unacked_state, std::uint64_t> unacked_by_state(const broker_id&) const;
    // What operations report, as their scripts are not seen on the wire: a message is no more, or is in
    // another list than before (its enqueue time stays), or is no longer at a worker.
    void message_removed(std::string_view tag);
    void message_moved(std::uint8_t db, std::string_view tag, std::string_view to_key);
    void forget_unacked(std::string_view tag);

    // Tasks.
    [[nodiscard]] const task_record* task(std::string_view id) const;  // valid until the next note
    // Most recently changed first; `matches` may be empty.
    [[nodiscard]] std::vector<task_record> tasks(
        std::size_t limit, const std::function<bool(const task_record&)>& matches) const;
    [[nodiscard]] std::vector<task_type_view> task_types() const;

    [[nodiscard]] std::vector<silent_drop_view> silent_drops() const;
    [[nodiscard]] const observer_counts& counts() const;
    [[nodiscard]] std::int64_t watching_since_us() const;  // the first note or the last gap

    struct state;  // the tables, for observer_store, findings and metrics of this folder
    [[nodiscard]] const state& tables() const { return *state_; }
    [[nodiscard]] state& tables() { return *state_; }

private:
    std::unique_ptr<state> state_;
};

}  // namespace broker
