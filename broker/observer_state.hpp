#pragma once
// The observer's tables, as its parts (notes, views, store, metrics) share them. Nobody else includes this.

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/celery_counters.hpp"
#include "broker/enqueue_times.hpp"
#include "broker/envelope.hpp"
#include "broker/histogram.hpp"
#include "broker/name_learner.hpp"
#include "broker/observer.hpp"
#include "broker/rates.hpp"
#include "broker/task_table.hpp"
#include "broker/unacked_table.hpp"
#include "broker/worker_map.hpp"

namespace broker {

using list_number = enqueue_times::list_number;

struct list_record {
    std::uint8_t db = 0;
    std::string key;
    list_name name;  // as of `name_generation`
    std::uint64_t name_generation = 0;
    std::uint64_t pushed = 0, popped = 0, acked = 0, redelivered = 0, put_back = 0, foreign = 0;
    std::uint64_t bytes_max = 0;
    rate_meter in, out, ack;
    std::int64_t pushed_us = 0, popped_us = 0, polled_us = 0;
    bool bound = false;
    std::optional<std::uint64_t> depth;
    // Whether messages may wait in front of those whose enqueue times are known.
    bool head_unknown = true;
    std::string head_tag;  // who stood there when Redis was asked last
};

struct task_type_record {
    broker_id broker;
    std::string name, queue;
    std::uint64_t sent = 0, taken = 0, acked = 0, bytes = 0, bytes_max = 0;
    rate_meter in, out, ack;
    histogram wait;
};

struct redelivery_record {
    std::string tag;
    std::uint64_t count = 0;
    std::uint64_t untold = 0;  // of count, what Redis does not know
};

// A lookup of bindings that no push has followed yet.
struct pending_route {
    std::uint8_t db = 0;
    std::uint64_t client = 0;
    std::string host, address, exchange;
    broker_id broker;
    std::int64_t at_us = 0;
};

struct reply_list {
    std::uint64_t pushed = 0, popped = 0;
    std::int64_t last_us = 0;
};

// What a worker told about its pool when it was asked.
struct worker_stats {
    std::int64_t concurrency = 0;
    std::int64_t prefetch = 0;
};

struct observer::state {
    explicit state(const observer_limits& given)
        : limits(given),
          times(given.tags_max),
          unacked(given.unacked_max),
          workers(given.clients_max, given.workers_max),
          tasks(given.tasks_max) {}

    observer_limits limits;
    observer_counts counts;
    event_sink sink;
    std::int64_t now_us = 0;
    std::int64_t since_us = 0;
    std::int64_t tidied_us = 0;
    std::set<std::string> known_hosts;  // of nodes

    name_learner names;
    enqueue_times times;
    unacked_table unacked;
    worker_map workers;
    task_table tasks;
    celery_counters celery;
    std::map<std::pair<broker_id, std::string>, worker_stats> stats;

    std::vector<list_record> lists;
    std::map<std::pair<std::uint8_t, std::string>, list_number, std::less<>> list_numbers;
    std::map<std::pair<std::uint8_t, std::string>, reply_list> replies;
    std::map<broker_id, std::uint64_t> unacked_depths;                                  // as Redis said last
    std::map<std::tuple<broker_id, std::string, std::string>, task_type_record> types;  // name, queue
    std::unordered_map<tag_key, redelivery_record, tag_key_hash> redelivered;
    std::vector<std::string> redelivered_done;  // tags to remove from Redis
    std::map<std::pair<broker_id, std::string>, silent_drop_view> drops;
    std::deque<pending_route> routes;
    // Acknowledgements that may yet turn out to be restores: a push of the same tag by the same client
    // follows.
    struct settling {
        std::string tag;
        std::int64_t at_us;
    };
    std::unordered_map<std::uint64_t, std::vector<settling>> settling_by_client;
    // Tags that were taken before their push was told, with when.
    std::unordered_map<tag_key, std::int64_t, tag_key_hash> early_pops;
    std::deque<std::pair<std::int64_t, tag_key>> early_order;
    // Tags taken whose enqueue time only Redis may know, because another sidecar saw the push.
    std::vector<std::string> asked_tags;

    std::optional<list_number> list_at(std::uint8_t db, std::string_view key);
    [[nodiscard]] const list_name& name_of(list_record& list) const;
    [[nodiscard]] broker_id broker_of(const held_message& held) const;
    [[nodiscard]] unacked_state state_of(const held_message& held, std::optional<double> timeout_s) const;
    task_type_record& type_of(const broker_id& broker, std::string_view task, std::string_view queue);
    // Ends what waits for the client's next note; `tag`: not this one, it is pushed again.
    void settle_all(std::uint64_t client);
    void acknowledged(const std::string& tag, std::int64_t at_us);
    bool takes_back(std::uint64_t client, std::string_view tag);

    void on_pushed(const wire_note& note, client_record& by);
    void on_popped(const wire_note& note, client_record& by);
    void on_waits(const wire_note& note, client_record& by);
    void on_noted(const wire_note& note, client_record& by);
    void on_settled(const wire_note& note, client_record& by);
    void on_swept(const wire_note& note, client_record& by);
    void on_routed(const wire_note& note, client_record& by);
    void on_bound(const wire_note& note, client_record& by);
    void on_published(const wire_note& note, client_record& by);
    void on_listens(const wire_note& note, client_record& by);
    void on_deleted(const wire_note& note);
    void on_put_back(const wire_note& note);
    void on_withheld(const wire_note& note);
    void revoked_at_delivery(const wire_note& note, const message_head& head);
    void on_events(const broker_id& broker, const wire_note& note, client_record& by);

    void expire_routes(bool all);
    void expire_early();
    void count_orphans();
    void tidy_workers();
};

}  // namespace broker
