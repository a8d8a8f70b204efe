#pragma once
// Which sockets belong together. A Celery worker has ten sockets and names itself on one of them, so what
// they do ties them: the socket that notes a tag belongs to the one that popped it, the one that declares a
// mailbox or sends heartbeats belongs to that node, an event about a task ties its node to whoever holds the
// task. Where nothing ties a node to a consumer, and exactly one of each is left on an address, they are
// taken to be one (`assumed`), until something proves otherwise.
//
// A process is a set of clients under the id of one of them. Gone clients stay on record for as long as
// something may ask whose they were.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/elsewhere.hpp"
#include "broker/observer_views.hpp"

namespace broker {

enum class tie : std::uint8_t { none, assumed, proven };

struct client_record {
    std::uint64_t id = 0;
    std::uint8_t db = 0;
    std::optional<broker_id> broker;
    std::string address;
    std::string name;
    std::int64_t connected_us = 0;
    std::int64_t seen_us = 0;
    std::int64_t gone_us = 0;  // 0: open
    std::uint64_t process = 0;
    std::set<client_role> roles;
    std::vector<std::string> poll_keys;  // of its last BRPOP
    bool waits = false;
    std::int64_t last_poll_us = 0;
    std::optional<double> visibility_timeout_s;
    std::int64_t swept_us = 0;
};

struct process_record {
    std::set<std::uint64_t> open;  // clients
    std::set<std::uint64_t> gone;
    std::string host;
    broker_id broker;
    std::string node;
    tie node_tie = tie::none;
    bool consumes = false;
    std::int64_t started_us = 0;
    std::int64_t gone_us = 0;  // 0: a socket is open
    std::int64_t last_poll_us = 0;
    std::uint64_t put_backs = 0;
};

struct node_record {
    broker_id broker;
    std::string node;
    std::uint64_t process = 0;
    bool said_offline = false;
    std::int64_t online_us = 0;
    std::int64_t heartbeat_us = 0;
    std::int64_t seen_us = 0;
    std::int64_t gone_us = 0;
    std::int64_t restarted_us = 0;  // when another process was first heard under this name
    double every_s = 0;
    std::optional<double> skew_s;
    std::optional<std::int64_t> pid, active, processed, clock;
    std::vector<double> load;
    std::string software, system;
};

// What a worker event says about its sender.
struct node_news {
    std::string_view type;  // worker-online, worker-heartbeat, worker-offline; empty for other events
    std::optional<double> timestamp;
    std::optional<double> freq;
    std::optional<std::int64_t> pid, active, processed, clock;
    std::vector<double> load;
    std::string software, system;
};

class worker_map {
public:
    worker_map(std::size_t clients_max, std::size_t workers_max)
        : clients_max_(clients_max), workers_max_(workers_max) {}

    // nullptr when there is no room. A client that was not announced is entered at its first note.
    client_record* client(std::uint64_t id, std::uint8_t db, std::int64_t at_us);
    [[nodiscard]] const client_record* find(std::uint64_t id) const;
    void gone(std::uint64_t id, std::int64_t at_us);
    // A message given to it was put back.
    void saved(std::uint64_t id);

    process_record& process_of(client_record& client);
    [[nodiscard]] const process_record* process(std::uint64_t id) const;
    // Both are one process. Refused across addresses.
    void tie_clients(std::uint64_t one, std::uint64_t other);
    void tie_node(client_record& client, const broker_id& broker, std::string_view node);
    // Declared its mailbox gone, or told that it goes.
    void node_left(const broker_id& broker, std::string_view node, std::int64_t at_us);
    void node_heard(const broker_id& broker, std::string_view node, const node_news& news,
                    std::int64_t at_us);

    // `still_needed`: clients that something unacknowledged refers to.
    void tick(std::int64_t now_us, std::int64_t forget_us, const std::set<std::uint64_t>& still_needed);

    // Whose sockets are gone here may have others at another sidecar.
    void set_elsewhere(elsewhere others) { elsewhere_ = std::move(others); }

    [[nodiscard]] owner_view owner(std::uint64_t client, std::int64_t now_us,
                                   std::int64_t orphan_after_us) const;
    [[nodiscard]] const std::unordered_map<std::uint64_t, client_record>& clients() const { return clients_; }
    [[nodiscard]] const std::map<std::uint64_t, process_record>& processes() const { return processes_; }
    [[nodiscard]] const std::map<std::pair<broker_id, std::string>, node_record>& nodes() const {
        return nodes_;
    }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

private:
    node_record* node(const broker_id& broker, std::string_view name, std::int64_t at_us);
    std::uint64_t merge(std::uint64_t one, std::uint64_t other);
    void assume_ties();

    std::size_t clients_max_;
    std::size_t workers_max_;
    std::unordered_map<std::uint64_t, client_record> clients_;
    std::map<std::uint64_t, process_record> processes_;
    std::map<std::pair<broker_id, std::string>, node_record> nodes_;
    elsewhere elsewhere_;
    std::uint64_t refused_ = 0;
};

// "10.0.0.7:51234" → "10.0.0.7"; "[::1]:5" → "[::1]"; a unix socket's address is its own host.
[[nodiscard]] std::string_view host_of(std::string_view address);

}  // namespace broker
