#pragma once
// One upstream connection without its socket: handshake, commands out, replies in, pairing, and what becomes
// of the commands when the connection is lost. A shared link carries many sessions; a lease carries one.
//
//   submit() ─→ upstream_queue ─→ gather()/on_written() ─→ socket
//   socket ─→ on_bytes() ─→ reply_scanner ─→ owner of the front entry │ pushes ─→ push_sink
//
// The link never closes its socket itself: it says what it wants (wants_open, wants_close), the I/O layer
// does it.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resp/reply_scanner.hpp"
#include "sidecar/core/backoff.hpp"
#include "sidecar/core/clock.hpp"
#include "sidecar/core/handshake.hpp"
#include "sidecar/core/upstream_queue.hpp"

namespace sidecar {

enum class link_lane : std::uint8_t { main, bulk, lease, subscription, control };
enum class link_role : std::uint8_t { confined, confined_readonly, full };

struct link_key {
    std::uint8_t upstream = 0;  // which upstream instance
    std::uint8_t database = 0;
    std::uint8_t protocol = 2;
    link_role role = link_role::confined;
    link_lane lane = link_lane::main;
    bool operator==(const link_key&) const = default;
};

enum class link_state : std::uint8_t { idle, connecting, greeting, ready, waiting };

enum class link_fall : std::uint8_t { attempt_failed, lost, closed_by_us };

class link;
class session;

// What a link tells the shard around it.
class link_events {
public:
    virtual void on_link_dirty(link& which) = 0;  // has something to write, or wants to be opened or closed
    virtual void on_link_ready(link& which) = 0;
    // After the queue has been sorted into what is resent and what is dropped. `cause` is for the log.
    virtual void on_link_down(link& which, link_fall how, std::string_view cause, handshake_state why) = 0;
    virtual void on_link_push(link& which, std::string_view frame) = 0;
    // No more pushes for now. Until then the frames of a series stay where they are; those that came one
    // directly behind the other also lie so in memory.
    virtual void on_link_pushes_end(link& which) = 0;
    // A reply that no command asked for: MONITOR's stream on a lease. False = it is a framing error.
    virtual bool on_link_unsolicited(link& which, std::string_view bytes) = 0;
    // For every answered command, still at the front of the queue: counters, latency, slow log.
    virtual void on_link_answer(link& which, const upstream_entry& entry, std::string_view first_bytes) = 0;

protected:
    ~link_events() = default;
};

class link {
public:
    link(link_key key, handshake_settings settings, link_events& events, std::uint64_t seed);
    link(const link&) = delete;
    link& operator=(const link&) = delete;

    // --- commands
    void submit(const upstream_entry& entry, std::string_view command_bytes) {
        queue_.push(entry, command_bytes);
        if (!dirty) events_.on_link_dirty(*this);
    }
    // Where what was submitted last is kept.
    [[nodiscard]] upstream_queue& queue() { return queue_; }
    // Bytes that are answered by pushes only.
    void send_unanswered(std::string_view bytes);
    [[nodiscard]] bool idle() const { return queue_.empty(); }
    [[nodiscard]] std::size_t in_flight() const { return queue_.size(); }
    [[nodiscard]] std::size_t kept_bytes() const { return queue_.kept_bytes(); }
    [[nodiscard]] std::string_view front_command() const { return queue_.front_bytes(); }
    [[nodiscard]] const upstream_entry& front() const { return queue_.front(); }
    [[nodiscard]] bool front_was_sent() const { return !queue_.empty() && queue_.front_was_sent(); }
    // Nothing more is written until upstream has sent something: it runs a script and reads nothing.
    void hold_back() { held_back_ = true; }
    [[nodiscard]] bool held_back() const { return held_back_; }
    using choice = std::function<bool(const upstream_entry&)>;
    // Takes out the commands not yet written that are `wanted`, asked in order.
    [[nodiscard]] std::vector<upstream_entry> take_unsent(const choice& wanted);
    // The replies of `wanted` commands, of those written and unanswered, will be read and dropped.
    [[nodiscard]] std::vector<upstream_entry> disown_written(const choice& wanted);
    // Commands waiting for a connection are given up: their owners hear on_never_sent (unless unbounded).
    void expire_held();

    // --- the connection, for the I/O layer
    [[nodiscard]] bool wants_open(time_point now) const;
    [[nodiscard]] bool wants_close() const { return close_wanted_; }
    void on_opening();
    void on_open();
    void on_bytes(std::string_view bytes);
    void on_closed(std::string_view cause, time_point now);  // also when an attempt failed
    std::size_t gather(std::span<std::string_view> pieces) const;
    void on_written(std::size_t bytes);
    [[nodiscard]] bool has_output() const;

    // --- life
    void close() {
        close_wanted_ = true;
        events_.on_link_dirty(*this);
    }  // and reconnect if there is work
    // Never again. Whoever still has a command here hears on_never_sent.
    void retire();
    bool retire_when_idle = false;  // kept by the shard
    [[nodiscard]] bool retired() const { return retired_; }
    void renew(const handshake_settings& settings) { settings_ = settings; }  // for the next connection
    void open_now();  // connect without waiting for work
    [[nodiscard]] bool open_wanted() const {
        return open_wanted_ || state_ == link_state::connecting || state_ == link_state::greeting;
    }
    void retry_soon() { retry_at_ = time_point{}; }
    void retry_by(time_point latest) { retry_at_ = std::min(retry_at_, latest); }

    [[nodiscard]] link_state state() const { return state_; }
    [[nodiscard]] const link_key& key() const { return key_; }
    [[nodiscard]] std::int64_t upstream_client_id() const { return client_id_; }
    [[nodiscard]] bool confined() const { return confined_; }
    [[nodiscard]] const std::string& server_version() const { return server_version_; }
    [[nodiscard]] bool ready() const { return state_ == link_state::ready; }
    [[nodiscard]] std::uint64_t bytes_in() const { return bytes_in_; }
    [[nodiscard]] std::uint64_t bytes_out() const { return bytes_out_; }
    [[nodiscard]] std::uint64_t losses() const { return losses_; }
    [[nodiscard]] bool mid_reply() const { return scanner_.inside_reply(); }

    void* io = nullptr;         // the I/O layer's own
    session* holder = nullptr;  // of a lease: whom pushes and its loss concern
    bool dirty = false;         // stands on the shard's list
    // A large reply's reader is slower than upstream: the link is not read until each such reader has caught
    // up.
    void pause_reading() { ++pauses_; }
    void resume_reading() {
        if (pauses_ > 0 && --pauses_ == 0) events_.on_link_dirty(*this);
    }
    [[nodiscard]] bool reading_paused() const { return pauses_ > 0; }
    time_point idle_since{};
    std::uint64_t swept_bytes_out = 0;     // kept by the shard: what had gone out when it last looked
    std::optional<time_point> down_since;  // kept by the shard

private:
    void greet(std::string_view& bytes);
    void purge_unwanted();
    void drop_written_unanswered() {
        if (queue_.holds_unanswered()) drop_unanswered_front();
    }
    void drop_unanswered_front();
    void restore(upstream_queue queue);
    void deliver(std::string_view piece, bool complete);
    std::size_t deliver_run(std::string_view bytes);
    void on_push_piece(std::string_view piece, bool complete);
    void fail(std::string_view cause, handshake_state why);

    link_key key_;
    handshake_settings settings_;
    link_events& events_;
    backoff backoff_;
    link_state state_ = link_state::idle;
    upstream_queue queue_;
    resp::reply_scanner scanner_;
    std::unique_ptr<handshake> greeting_;
    std::size_t greeting_sent_ = 0;
    std::string greeting_in_;
    std::string push_;
    std::string first_bytes_;  // of the reply being read, when it arrives in pieces
    std::string server_version_;
    std::string fail_cause_;
    handshake_state fail_why_ = handshake_state::more;
    time_point retry_at_{};
    std::int64_t client_id_ = 0;
    std::uint64_t bytes_in_ = 0;
    std::uint64_t bytes_out_ = 0;
    std::uint64_t losses_ = 0;
    unsigned pauses_ = 0;
    bool confined_ = true;
    bool close_wanted_ = false;
    bool held_back_ = false;
    bool retired_ = false;
    bool open_wanted_ = false;
};

}  // namespace sidecar
