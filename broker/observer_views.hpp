#pragma once
// What the observer answers: plain values, copied out. Whatever it has not seen itself is absent
// (std::nullopt) or of state `unknown`; it never guesses. Times are unix microseconds unless the name says
// otherwise, and lie on the sidecar's clock, not on a client's.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

// One application's part of a database: everything under one `global_keyprefix` (empty for most).
struct broker_id {
    std::uint8_t db = 2;
    std::string prefix;

    bool operator==(const broker_id&) const = default;
    auto operator<=>(const broker_id&) const = default;
};

struct rates {
    double in_per_second = 0;   // messages published
    double out_per_second = 0;  // messages given to a consumer
    double ack_per_second = 0;  // messages acknowledged (or rejected without requeue)
};

// One list of a queue.
struct list_view {
    std::string key;  // with the broker's prefix, as in Redis
    int priority = 0;
    std::uint64_t pushed = 0;
    std::uint64_t popped = 0;
    std::optional<std::uint64_t> ready;  // as Redis said last
};

struct queue_view {
    broker_id broker;
    std::string name;              // without prefix, without priority suffix
    std::vector<list_view> lists;  // by priority, 0 first; those that were seen
    rates last_10s;
    rates last_60s;
    std::uint64_t pushed_total = 0;
    std::uint64_t popped_total = 0;
    std::uint64_t acked_total = 0;
    std::uint64_t redelivered_total = 0;
    std::uint64_t put_back_total = 0;
    std::uint64_t foreign_total = 0;     // pushed elements that are not kombu's
    std::uint64_t bytes_max = 0;         // of one message
    std::optional<std::uint64_t> ready;  // as Redis said last
    // Of the messages that were seen to be published and not yet seen to be taken; whoever knows the head's
    // tag asks `observer::enqueued_at_us` instead.
    std::optional<std::int64_t> oldest_enqueued_us;
    std::uint64_t enqueued_known = 0;      // how many of the waiting messages' enqueue times are known
    std::vector<std::uint64_t> consumers;  // clients that pop this queue (seen within consumer_fresh_us)
    std::uint64_t consumer_processes = 0;  // the same, sockets of one process counted once
    std::optional<std::int64_t> last_pushed_us;
    std::optional<std::int64_t> last_popped_us;
    std::optional<std::int64_t> last_polled_us;  // when a consumer last asked for it
    bool bound = false;                          // a binding set names it
    bool broadcast = false;                      // `bcast.…`: a list that nobody pops
};

enum class client_role : std::uint8_t {
    unknown,
    consumer,   // issues BRPOP on queues
    publisher,  // pushes tasks
    acks,       // writes unacked
    control,    // listens to pidbox, or declares a node's mailbox
    events,     // publishes or listens to events
};

struct client_view {
    std::uint64_t id = 0;
    broker_id broker;
    std::string address;
    std::string name;  // CLIENT SETNAME, library
    std::int64_t connected_us = 0;
    std::int64_t seen_us = 0;  // its last note
    std::vector<client_role> roles;
    std::vector<std::string> queues;  // of its last BRPOP, without prefix and priority
    bool waits = false;               // a BRPOP of it is open now
    std::optional<std::int64_t> last_poll_us;
    std::optional<double> visibility_timeout_s;  // measured from its last sweep
    std::uint64_t process = 0;                   // clients with the same number are one process
    std::string node;                            // Celery's node name; empty when unknown
};

enum class liveness : std::uint8_t {
    unknown,
    online,   // a socket of it is open and it was heard of lately
    silent,   // sockets open, heartbeats stopped
    offline,  // it said so
    gone,     // all its sockets are gone
};

struct worker_view {
    broker_id broker;
    std::string node;  // "celery@host"; empty for a consumer process that has not told its name
    liveness state = liveness::unknown;
    std::uint64_t process = 0;  // 0 when no socket could be tied to it
    std::string address;        // host part of its sockets' address
    std::vector<std::uint64_t> clients;
    std::vector<std::string> queues;  // what it pops now or popped last
    std::optional<std::int64_t> started_us;
    std::optional<std::int64_t> last_heartbeat_us;  // arrival here
    std::optional<std::int64_t> last_poll_us;
    std::optional<std::int64_t> gone_us;
    std::optional<double> heartbeat_every_s;
    std::optional<double> clock_skew_s;  // worker's clock minus ours
    std::optional<std::int64_t> pid;
    std::optional<std::int64_t> active;                 // as it told with its heartbeat
    std::optional<std::int64_t> processed;              // as it told with its heartbeat
    std::optional<std::int64_t> concurrency, prefetch;  // as it answered to `stats`
    std::vector<double> load;
    std::string software;  // "py-celery 5.6.3"
    std::string system;
    std::optional<double> visibility_timeout_s;  // shortest of its clients
    std::uint64_t unacked = 0;                   // messages it holds, as far as seen
    std::uint64_t put_backs = 0;
};

enum class unacked_state : std::uint8_t {
    unknown,     // nobody was seen to take it, or its worker sends no events
    running,     // a task-started event came for it
    prefetched,  // its worker told of its receipt, and not of its start
    eta,         // its time has not come
    overdue,     // held for longer than the shortest visibility timeout: to be delivered again
    orphan,      // its owner is gone
};

enum class owner_state : std::uint8_t {
    unknown,      // taken before we watched, or notes were lost
    alive,        // a socket of the owner is open
    leaving,      // all sockets gone, less than orphan_after ago
    orphan,       // all sockets gone for longer
    reconnected,  // its sockets went, the same process came back with new ones
};

struct owner_view {
    owner_state state = owner_state::unknown;
    std::uint64_t process = 0;
    std::vector<std::uint64_t> clients;  // the process's clients that are open
    std::string address;
    std::string node;
    std::optional<std::int64_t> taken_us;        // popped
    std::optional<std::int64_t> gone_us;         // when its last socket went
    std::optional<double> visibility_timeout_s;  // shortest that any client of this broker sweeps with
};

struct orphan_view {
    broker_id broker;
    std::string hash;  // name of the unacked hash, as in Redis
    std::string list;  // the list it was taken from, as in Redis; empty when unknown
    std::string tag;
    std::string task;
    std::string id;
    std::string queue;
    std::string address;
    std::string node;
    std::int64_t gone_us = 0;
    std::int64_t taken_us = 0;
};

struct visibility_view {
    broker_id broker;
    std::uint64_t client = 0;
    std::string address;
    std::string node;
    double seconds = 0;
    std::int64_t at_us = 0;
};

struct silent_drop_view {
    broker_id broker;
    std::string exchange;
    std::uint64_t count = 0;
    std::int64_t last_us = 0;
    std::string client_address;
};

enum class task_state : std::uint8_t {
    unknown,
    sent,      // seen on its way into a queue
    taken,     // given to a consumer
    received,  // the worker told
    started,
    retry,
    succeeded,
    failed,
    rejected,
    revoked,
    lost,  // dropped by a worker without an event (unacked entry removed by us)
};

struct task_record {
    broker_id broker;
    std::string id;
    std::string name;
    std::string tag;  // of its latest message
    std::string queue;
    std::string worker;
    std::string root_id;
    std::string parent_id;
    std::string args;  // repr, as the event or message carried it; cut
    std::string kwargs;
    std::string result;     // repr
    std::string exception;  // repr
    std::string traceback;
    std::string eta;
    std::string expires;
    task_state state = task_state::unknown;
    std::uint64_t retries = 0;
    std::uint64_t deliveries = 0;
    std::optional<std::int64_t> sent_us, taken_us, received_us, started_us, finished_us;
    std::optional<double> runtime_s;
    std::int64_t updated_us = 0;
};

struct histogram_view {
    std::vector<double> bounds;            // upper bounds in seconds, the last bucket is open
    std::vector<std::uint64_t> in_bucket;  // bounds.size() + 1, not cumulative
    std::uint64_t count = 0;
    double sum = 0;
};

// A task type's figures in one queue. Beyond task_names_max the name is "other".
struct task_type_view {
    broker_id broker;
    std::string name;
    std::string queue;
    std::uint64_t sent = 0;
    std::uint64_t taken = 0;
    std::uint64_t acked = 0;
    rates last_60s;
    histogram_view wait;  // from publish (or its ETA) to the consumer
    std::uint64_t bytes = 0;
    std::uint64_t bytes_max = 0;
};

[[nodiscard]] std::string_view to_text(unacked_state);
[[nodiscard]] std::string_view to_text(liveness);
[[nodiscard]] std::string_view to_text(owner_state);
[[nodiscard]] std::string_view to_text(task_state);
[[nodiscard]] std::string_view to_text(client_role);

}  // namespace broker
