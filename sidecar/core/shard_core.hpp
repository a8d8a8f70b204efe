#pragma once
// Everything one thread owns, without its sockets: sessions, upstream links, leases, subscriptions, parked
// calls, counters. The I/O layer feeds bytes and time in and, at the end of each turn, takes the lists of
// what became dirty.
//
//   turn:  on_bytes(session | link)*  →  finish_turn()  →  I/O flushes dirty_links, then dirty_sessions

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/put_back.hpp"
#include "channels/subscription_table.hpp"
#include "resp/command_scanner.hpp"
#include "sidecar/core/broker_gate.hpp"
#include "sidecar/core/broker_tap.hpp"
#include "sidecar/core/buffer_pool.hpp"
#include "sidecar/core/clock.hpp"
#include "sidecar/core/command_table.hpp"
#include "sidecar/core/lease_pool.hpp"
#include "sidecar/core/link.hpp"
#include "sidecar/core/message_run.hpp"
#include "sidecar/core/metrics.hpp"
#include "sidecar/core/parked_call.hpp"
#include "sidecar/core/poller.hpp"
#include "sidecar/core/process_state.hpp"
#include "sidecar/core/receiver_pool.hpp"
#include "sidecar/core/slowlog.hpp"
#include "sidecar/core/stranger_list.hpp"
#include "sidecar/core/transaction.hpp"

namespace sidecar {

class channel_store;
class session;
class channel_service;

enum class client_kind : std::uint8_t {
    guest,
    // The sidecar's own control plane at the other end of a socketpair: no policy, no authentication, not
    // counted, listed, killed or drained with the clients.
    control,
};

struct client_address {
    std::string remote;  // "127.0.0.1:52100" or "/path:0"
    std::string local;
    bool unix_socket = false;
    bool tls = false;
    int descriptor = -1;  // shown in CLIENT LIST
    client_kind kind = client_kind::guest;
    int database = 0;  // where it begins
};

// Scripts that upstream is known to have: they may be called by their hash.
namespace script_mark {
inline constexpr std::uint8_t cleanup = 1;
inline constexpr std::uint8_t group_send = 2;
inline constexpr std::uint8_t flush = 4;
inline constexpr std::uint8_t pop = 8;
}  // namespace script_mark

// One Redis instance as this shard sees it; several dbs may live on one.
struct upstream {
    redis_url url;
    int index = 0;
    link* control = nullptr;
    link* listener = nullptr;  // carries the subscriptions; opened with the first
    channels::subscription_table subscriptions;
    // What upstream has confirmed and not taken back: what it counts as ours in PUBLISH's reply.
    std::set<std::pair<channels::name_kind, std::string>> confirmed;
    // SUBSCRIBEs and UNSUBSCRIBEs on their way, with the registry's ticket.
    std::map<std::pair<channels::name_kind, std::string>, std::uint64_t> pending;
    std::optional<time_point> down_since;
    std::optional<time_point> replay_at;  // subscriptions are asked for again
    bool refused = false;                 // wrong password
    bool table_learnt = false;
    std::uint8_t scripts_loaded = 0;  // script_mark, since the last link was lost
    std::string cause;                // of being down
    std::string version;
    time_point pinged_at{};
    bool ping_outstanding = false;
    std::string busy;  // Redis's error while a script runs for too long
};

enum class hold_state : std::uint8_t { open, expired, refused };

class shard_core final : public link_events {
public:
    shard_core(int index, process_state& process, std::shared_ptr<const runtime> settings);
    ~shard_core();
    shard_core(const shard_core&) = delete;
    shard_core& operator=(const shard_core&) = delete;

    // --- clock, settings
    void set_now(time_point now) {
        now_ = now;
        long_now_us_ = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
        now_us_ = static_cast<std::uint32_t>(long_now_us_);
        leases.set_now(now);
    }
    [[nodiscard]] time_point now() const { return now_; }
    [[nodiscard]] std::uint32_t now_us() const { return now_us_; }
    [[nodiscard]] std::int64_t unix_time() const { return unix_time_; }
    void set_unix_time(std::int64_t seconds) { set_unix_time_us(seconds * 1'000'000); }
    [[nodiscard]] std::int64_t unix_time_us() const { return unix_offset_us_ + long_now_us_; }
    void set_unix_time_us(std::int64_t us) {
        unix_time_ = us / 1'000'000;
        unix_offset_us_ += us - unix_time_us();
    }
    [[nodiscard]] const runtime& settings() const { return *settings_; }
    void reload(std::shared_ptr<const runtime> fresh);

    // --- sessions
    [[nodiscard]] session& open_session(client_address address);
    // At max-clients: closes the stranger that has been here longest, unless all have just come.
    bool make_room();
    [[nodiscard]] session* find_session(std::uint64_t id);
    template <class F>
    void each_session(F&& f) {
        for (auto& [id, s] : sessions_) f(*s);
    }
    // Those that came from outside.
    template <class F>
    void each_client(F&& f) {
        for (auto& [id, s] : sessions_)
            if (!is_control(*s)) f(*s);
    }
    [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }
    void resume_later(session& s);
    void dispose_later(session& s);
    // Its output may have outgrown the limit, seen at a moment when it must not be closed.
    void check_later(session& s);
    void mark_dirty(session& s);

    // --- upstream
    [[nodiscard]] upstream& upstream_of(int db);
    [[nodiscard]] std::vector<std::unique_ptr<upstream>>& upstreams() { return upstreams_; }
    // A bulk client gets the main link of its db where upstream has no room for a further connection.
    [[nodiscard]] link& shared_link(const link_key& key);
    // The link is set apart for the large reply it is carrying; others get a fresh one.
    void swap_lane(link& busy);
    [[nodiscard]] link_role default_role() const;
    [[nodiscard]] link_key key_for(int db, int protocol, link_role role, link_lane lane);
    [[nodiscard]] hold_state hold_of(const link& which);
    // Runs a command of the sidecar's own; `done` gets the reply, or an empty text when the connection was
    // lost.
    void ask(link& over, std::string_view command_bytes, std::function<void(std::string_view reply)> done);
    void put_back(int db, broker::popped what, std::optional<std::int64_t> ttl_ms, int attempt = 0,
                  std::string token = {});
    // The same from where nothing may be submitted.
    void put_back_later(int db, broker::popped what, std::optional<std::int64_t> ttl_ms);
    void unblock_upstream(link& lease, parked_call* call, bool as_error);

    // --- channels_redis
    [[nodiscard]] bool guards(int db) const { return (guarded_dbs_ >> static_cast<unsigned>(db) & 1U) != 0; }
    // Somewhere receivers wait that no connection waits for.
    [[nodiscard]] bool receivers_uncovered() const;
    void wake_receivers(int db, const std::string& key);

    // --- brokers
    // It watches the db, and nothing pushed there has to go elsewhere.
    [[nodiscard]] bool records_plainly(int db) const {
        return ((watched_dbs_ & ~gate.draining_dbs()) >> static_cast<unsigned>(db) & 1U) != 0;
    }
    [[nodiscard]] bool watches(int db) const { return (watched_dbs_ >> static_cast<unsigned>(db) & 1U) != 0; }

    void set_delivery_rules(std::shared_ptr<const broker::delivery_rules> rules);
    // Something may have come into a list that a reserving pop asks for; told to all shards at the turn's
    // end.
    void nudge_pollers(int db) { nudged_dbs_ |= 1U << static_cast<unsigned>(db); }
    // Closes a client's socket. False: it is on another shard, or gone.
    bool close_client(std::uint64_t id);

    // --- parked calls
    parked_call& park(session& client, broker::blocking_call call, link_key key, std::uint16_t command);

    void parked_changed() { parked_changed_ = true; }

    // --- subscriptions
    void want(int upstream_index, channels::name_kind kind, std::string_view name);
    void leave(int upstream_index, channels::name_kind kind, std::string_view name, session* member);
    void wait_for_subscription(session& s) { publish_waiters_.insert(&s); }
    void resume_publishers();

    // --- turn and time
    void finish_turn();
    void on_time();
    // Something is due within less than a tenth of a second.
    [[nodiscard]] bool wants_fine_ticks() const;
    void begin_drain();
    [[nodiscard]] bool drained() const;
    [[nodiscard]] bool draining() const { return draining_; }

    // What the I/O layer must look at after the turn; it clears them.
    std::vector<session*> dirty_sessions;
    std::vector<link*> dirty_links;

    // --- counters
    metrics stats;
    slowlog slow;
    [[nodiscard]] metrics snapshot();
    [[nodiscard]] std::vector<link*> links() const;

    // --- link_events
    void on_link_dirty(link& which) override;
    void on_link_ready(link& which) override;
    void on_link_down(link& which, link_fall how, std::string_view cause, handshake_state why) override;
    void on_link_push(link& which, std::string_view frame) override;
    void on_link_pushes_end(link& which) override;
    bool on_link_unsolicited(link& which, std::string_view bytes) override;
    void on_link_answer(link& which, const upstream_entry& entry, std::string_view first_bytes) override;

    void log(char level, std::string_view event,
             const std::vector<std::pair<std::string, std::string>>& fields);

    const int index;
    process_state& process;
    command_table commands;
    lease_pool leases;
    poller polls;
    broker_tap tap;
    broker_gate gate;
    receiver_pool receivers;
    const std::unique_ptr<channel_store> layer_store;  // of the native channel layer
    const std::unique_ptr<channel_service> layer_service;
    stranger_list strangers;
    std::string scratch;                  // for a command re-encoded on its way; valid until the next use
    resp::scanned_command scan_scratch;   // borrowed by the session that is being processed
    resp::scanned_command ahead_scratch;  // and for looking ahead of its command
    whole_transaction whole_scratch;
    buffer_pool output_buffers;

private:
    [[nodiscard]] static bool is_control(const session& s);
    [[nodiscard]] handshake_settings settings_for(const link_key& key) const;
    [[nodiscard]] std::unique_ptr<link> make_link(const link_key& key);
    void learn_commands(upstream& from);
    void classify_commands();
    void open_main_links(const upstream& u);
    [[nodiscard]] bool stands_always(const link& which) const;
    [[nodiscard]] bool make_room(int upstream_index, link_lane lane);
    std::size_t retire_unused_links();
    void on_subscription_push(upstream& from, std::string_view frame);
    void on_subscription_change(upstream& from, channels::name_kind kind, std::string_view verb,
                                std::string_view topic);
    void deliver_messages(upstream& from);
    void tell_of_outage(upstream& u, std::string_view channel, const std::string& type);
    void watch_health(upstream& u);
    void ping(upstream& u);
    void watch_scripts(upstream& u);
    [[nodiscard]] const reply_owner* runs_long_script(link& which) const;
    void refuse_waiting(link& which, const reply_owner* caller, const std::string& busy);
    void answer_busy(const upstream_entry& entry, const std::string& busy);
    void expire_holds();
    void sweep();
    void close_slow_strangers();
    void reclaim_idle_leases();
    void dispose();
    void tell_nudged();
    void drop_subscriptions_state(upstream& u);
    void begin_pending(upstream& u, channels::name_kind kind, const std::string& name);
    void end_pending(upstream& u, channels::name_kind kind, const std::string& name);
    void forget_departures(upstream& u);
    void await_replay(upstream& u);
    void end_all_pending(upstream& u);
    void add_slow(const upstream_entry& entry, std::string_view command_bytes, std::uint32_t us);

    std::shared_ptr<const runtime> settings_;
    time_point now_{};
    std::uint32_t now_us_ = 0;
    time_point started_{};
    std::int64_t unix_time_ = 0;
    std::int64_t long_now_us_ = 0;
    std::int64_t unix_offset_us_ = 0;  // of Unix time to the shard's clock
    std::unordered_map<std::uint64_t, std::unique_ptr<session>> sessions_;
    std::vector<std::unique_ptr<upstream>> upstreams_;
    std::array<int, 16> upstream_index_of_db_{};
    std::vector<std::unique_ptr<link>> links_;  // shared, control and subscription links
    std::vector<std::unique_ptr<parked_call>> parked_;
    std::vector<session*> to_resume_;
    std::vector<std::uint64_t> to_dispose_;
    std::vector<std::uint64_t> to_check_;
    time_point swept_at_{};
    std::set<session*> publish_waiters_;
    struct retry {
        int db;
        broker::popped what;
        std::optional<std::int64_t> ttl_ms;
        int attempt;
        std::string token;
        time_point at;
    };
    std::vector<retry> put_back_retries_;
    message_run messages_;  // of the push series being read; empty between turns
    bool parked_changed_ = false;
    bool draining_ = false;
    std::uint64_t seed_ = 0;
    std::uint32_t guarded_dbs_ = 0;
    std::uint32_t watched_dbs_ = 0;
    std::uint32_t nudged_dbs_ = 0;
};

}  // namespace sidecar
