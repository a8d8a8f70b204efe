#pragma once
// One client without its socket: bytes in become commands, each is answered here, multiplexed on a shared
// link, or run on a lease; replies leave in the order the commands came.
//
//   on_bytes ─→ scanner ─→ dispatch ─┬─ local answer ──────────────┐
//                                    ├─ link.submit … on_reply ────┤→ pipeline → output
//                                    └─ stall: the command stays in the input until what it waits for is over
//
// A stall is how program order holds between kinds of connections: a command that must go elsewhere than the
// previous ones waits, unparsed, until those are answered.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "broker/put_back.hpp"
#include "channels/core_layer.hpp"
#include "channels/receive_ledger.hpp"
#include "channels/subscription_table.hpp"
#include "resp/command_scanner.hpp"
#include "sidecar/core/channel_service.hpp"
#include "sidecar/core/clock.hpp"
#include "sidecar/core/command_table.hpp"
#include "sidecar/core/lease_pool.hpp"
#include "sidecar/core/message_run.hpp"
#include "sidecar/core/output_queue.hpp"
#include "sidecar/core/pipeline.hpp"
#include "sidecar/core/policy.hpp"
#include "sidecar/core/shard_core.hpp"
#include "sidecar/core/transaction.hpp"
#include "sidecar/core/upstream_queue.hpp"

namespace sidecar {

enum class stall : std::uint8_t {
    none,
    drain,         // earlier commands must be answered first
    lease,         // waits for a dedicated connection
    parked,        // in a blocking call
    subscribe,     // upstream has not confirmed yet
    publish,       // a subscription to that name is on its way
    remote,        // other shards are being asked
    backpressure,  // too much is unanswered or unread
};

enum class session_life : std::uint8_t {
    open,
    draining,  // no more input; closes when everything is answered
    flushing,  // closes when the output is sent
    closed,
};

enum class fan_out : std::uint8_t { one, many };  // listeners of a published message

// Who sees to it that a popped element is not lost with its client.
enum class pop_care : std::uint8_t {
    put_back_unsent,  // the session, until its reply has left
    followed,         // the hand-over's ledger
};

enum class reply_mode : std::uint8_t { on, off, skip_next, skip_this };

// A session's socket, as far as a session asks.
class client_io {
public:
    // Asks the kernel, whose news of this turn may not have been looked at yet.
    [[nodiscard]] virtual bool peer_has_ended() const = 0;

protected:
    ~client_io() = default;
};

class session final : public reply_owner, public lease_waiter {
public:
    session(shard_core& shard, std::uint64_t id, client_address address);
    ~session();
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    // --- the socket's side
    void on_bytes(std::string_view bytes);
    void on_end_of_stream();  // the client sent its last byte
    void on_broken();         // the socket is of no use any more
    void on_sent(std::size_t bytes);
    void on_handshake_done();  // of TLS
    [[nodiscard]] output_queue& output() { return output_; }
    [[nodiscard]] bool wants_read() const;
    // The I/O layer closes the socket and calls on_broken.
    [[nodiscard]] bool wants_close() const;
    client_io* io = nullptr;
    bool dirty = false;

    // --- the shard's side
    void resume();
    void on_publish_fence_over();
    void on_subscription_ready();
    void on_messages(message_run& run, fan_out width);
    void on_lease_push(std::string_view frame);
    bool on_lease_stream(std::string_view bytes);
    void on_lease_down(std::string_view cause);
    void on_parked_reply(const std::string& reply, std::optional<broker::popped> popped,
                         std::optional<std::int64_t> ttl_ms, pop_care care = pop_care::put_back_unsent);
    void on_received(int db, std::string_view key, channels::receive_ledger::message what);
    void on_receive_over(std::string_view error);
    bool unblock(parked_call::unblock_as how);
    // CH.*: see channel_service.
    void on_channel_answer(const channel_caller& who, std::string_view bytes);
    void on_channel_messages(const channel_caller& who, channel_messages messages);
    void on_normal_messages(const channel_caller& who, channel_messages messages,
                            const channels::layer_ref& layer, const std::string& channel,
                            const std::vector<channels::spooled_message>& popped);
    void on_channel_refused(const shared_agreement& agreed);  // its HELLO came to nothing
    void on_time(time_point now);
    void on_reload();
    void drain();
    void kill();  // closes after what is already answered has been sent
    [[nodiscard]] bool disposable() const { return life_ == session_life::closed && entries_ == 0; }

    // reply_owner, lease_waiter
    void on_reply(const upstream_entry& entry, std::string_view bytes, bool complete) override;
    [[nodiscard]] bool takes_run(const upstream_entry& first) const override;
    void on_run(std::uint32_t count, std::uint64_t command_bytes, std::string_view replies) override;
    loss_verdict on_link_lost(const upstream_entry& entry, bool sent) override;
    void on_never_sent(const upstream_entry& entry) override;
    [[nodiscard]] bool wants_still() const override {
        return life_ == session_life::open || life_ == session_life::draining;
    }
    void on_lease(link& lease) override;

    // --- what others may know of it
    [[nodiscard]] std::uint64_t id() const { return id_; }
    [[nodiscard]] const client_address& address() const { return address_; }
    [[nodiscard]] bool control() const { return address_.kind == client_kind::control; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const user& who() const { return *user_; }
    [[nodiscard]] int database() const { return database_; }
    [[nodiscard]] session_life life() const { return life_; }
    [[nodiscard]] bool holds_popped_elements() const {
        return !unsent_pops_.empty() || (seat_ != nullptr && !seat_->unsent.empty());
    }
    [[nodiscard]] bool blocked() const {
        return parked_ != nullptr || !receiving_.empty() || (seat_ != nullptr && seat_->receiving > 0);
    }
    [[nodiscard]] bool leased() const { return lease_ != nullptr; }
    [[nodiscard]] bool subscribed() const { return subscription_count() > 0; }
    [[nodiscard]] bool in_handshake() const { return in_handshake_; }
    // Nobody knows who it is; see stranger_list.
    [[nodiscard]] bool stranger() const { return in_handshake_ || !authenticated_; }
    void close_stranger(std::string_view cause) { close_now(cause); }
    // Since when it keeps a dedicated connection for a transaction without using it.
    [[nodiscard]] std::optional<time_point> lease_idle_since() const;
    void close_idle_lease();
    [[nodiscard]] std::string client_list_line(std::string_view running = {}) const;
    [[nodiscard]] std::string_view kind() const;  // "normal" or "pubsub"
    [[nodiscard]] link* lease() const { return lease_; }
    [[nodiscard]] stall stalled() const { return stall_; }
    [[nodiscard]] std::uint32_t in_flight() const { return pipeline_.in_flight(); }

private:
    using args_view = std::span<const std::string_view>;
    struct command {  // the one being dispatched
        const command_spec* spec = nullptr;
        const command_spec* sub = nullptr;
        args_view args;
        std::string_view bytes;  // as it goes upstream
        std::size_t argument_count = 0;
    };
    enum class step : std::uint8_t { consumed, wait };  // wait: stall_ is set, the command stays in the input

    // session.cpp: input, output, life
    void process();
    void consume(std::size_t bytes);
    [[nodiscard]] resp::peer_trust trust() const;
    void reply(std::string_view bytes);
    void reply_error(std::string_view text);
    void emit(std::uint32_t number, std::string_view bytes, bool complete);
    void append_output(std::string_view bytes);
    void push(std::string_view frame);
    void check_output();
    void unpause();
    void release_pushes();
    [[nodiscard]] std::size_t output_high_water() const;
    void end_input();
    void close_after_flush();
    void close_now(std::string_view cause);
    void let_go();  // of everything held elsewhere
    void entry_gone(const upstream_entry& entry);
    [[nodiscard]] bool may_submit() const;
    [[nodiscard]] bool link_has_room() const;
    void note_size(std::size_t bytes, bool complete);
    void wake(stall from);
    step wait_for(stall what) {
        stall_ = what;
        return step::wait;
    }

    // session_dispatch.cpp
    [[nodiscard]] bool may_go_express() const;
    bool forward_plain(const resp::scanned_command& scanned, std::string_view frame);
    step dispatch(const resp::scanned_command& scanned, std::string_view frame);
    step dispatch_by_name(const command& c);
    step dispatch_special(const command& c);
    step refuse(const command& c, const refusal& why);
    [[nodiscard]] std::optional<refusal> judge(const command& c);
    step forward(const command& c, reply_use use = reply_use::forward);
    step forward_on(link& target, const command& c, reply_use use);
    std::uint32_t submit(link& target, const command& c, reply_use use, std::uint16_t flags = 0);
    step forward_control(const command& c);
    [[nodiscard]] link* main_link();
    [[nodiscard]] link_role role_of(const user& who) const;
    [[nodiscard]] link_role role() const { return role_of(*user_); }
    step unknown_command(args_view args);
    step wrong_arity(const command& c);
    step reject(const command& c, std::string_view error);

    // session_connection.cpp: AUTH, HELLO, SELECT, RESET, QUIT, CLIENT
    step local_command(const command& c);
    std::string run_local(args_view args);  // → reply bytes, effects applied
    std::string run_auth(args_view args);
    std::string run_hello(args_view args);
    std::string run_select(args_view args);
    std::string run_client(args_view args);
    std::string set_client_info(args_view args);
    std::string hello_reply() const;
    [[nodiscard]] bool upstream_is_at_least(std::string_view version) const;  // "7.2"
    std::optional<std::string> authenticate(std::string_view name, std::string_view password);
    step run_reset();
    step run_quit();
    step client_command(const command& c);
    step client_reply(args_view args);
    step tracking(const command& c);
    void set_database(int db);
    [[nodiscard]] bool leads_elsewhere(std::string_view db) const;
    void become(const user& who);

    // session_clients.cpp: CLIENT LIST, KILL, UNBLOCK over all shards
    step client_list(args_view args);
    step client_kill(args_view args);
    step client_unblock(args_view args);
    void ask_shards(const std::function<std::string(shard_core&)>& question,
                    const std::function<std::string(const std::vector<std::string>&)>& answer);

    // session_lease.cpp
    step with_lease(const command& c, link_role role, bool until_answered);
    void end_lease(bool clean);
    void reconsider_lease();

    // session_transaction.cpp
    step start_transaction(const command& c);
    bool send_whole_transaction();
    bool find_whole_transaction(whole_transaction& found);
    [[nodiscard]] bool is_repeatable_in_transaction(const command& c) const;
    [[nodiscard]] bool may_be_sent_whole(const command& c) const;
    void submit_whole_transaction(link& target, const whole_transaction& whole);
    step in_transaction(const command& c);
    step poison(const command& c, std::string_view error);
    struct extra;
    std::string finish_exec(const extra& x);
    std::string transform(const upstream_entry& entry, extra& x);
    std::string correct_publish(channels::name_kind kind, std::string_view channel,
                                std::string_view reply) const;

    // session_blocking.cpp
    step blocking_command(const command& c);
    step end_instead();
    step wait_command(const command& c);

    // session_guard.cpp
    std::optional<step> guard(const command& c);
    std::pair<step, std::optional<std::uint32_t>> guard_forward(const command& c, reply_use use,
                                                                std::uint16_t flags);
    std::optional<step> guard_receive(const command& c, const channels::layer_command& layer);
    step withhold_cleanup();
    step guard_script(const command& c, const channels::layer_command& layer);
    step guard_clean(const command& c, const channels::layer_command& layer);
    step guard_enqueue(const command& c, const channels::layer_command& layer);
    bool send_script_again(const upstream_entry& entry, extra& x);
    std::string finish_guarded(const upstream_entry& entry, extra& x);
    void end_wait(std::string_view answer);
    void leave_receives();

    // session_broker.cpp
    [[nodiscard]] bool observed(const command_spec& spec) const {
        return spec.has(command_flag::watched) && shard_.watches(database_) && !control();
    }
    // A pop at once, whose reply is looked at: what it gets may have to be kept from the client. A push that
    // may have to go elsewhere.
    [[nodiscard]] bool must_steer(const command_spec& spec) const {
        if (spec.traffic == broker::traffic::push_left) return shard_.gate.diverts_pushes(database_);
        return spec.traffic == broker::traffic::pop_left || spec.traffic == broker::traffic::pop_right;
    }
    std::optional<step> steer(const command& c);
    std::optional<step> steer_push(const command& c);
    // True: its command is on its way again.
    bool goes_again(const upstream_entry& entry, extra& x);
    bool pop_again(const upstream_entry& entry, extra& x);
    [[nodiscard]] std::string diverted(const command& c);
    void observe(link& target, const command_spec& spec, args_view args) {
        if (tx_ == nullptr && spec.has(command_flag::recorded))
            return record(target, broker::command_record::part::alone, target.queue().back().bytes);
        observe_special(target, spec, args);
    }
    void observe_special(link& target, const command_spec& spec, args_view args);
    [[gnu::always_inline]] void record(link& target, broker::command_record::part is, std::uint32_t bytes,
                                       std::uint32_t delivery = 0) {
        if (!announced_) [[unlikely]]
            announce();
        shard_.tap.record(target.queue(), {id_, shard_.unix_time_us(), database_}, is, bytes, delivery);
    }
    void record_last(link& target, broker::command_record::part is, std::uint32_t delivery = 0) {
        record(target, is, target.queue().back().bytes, delivery);
    }
    void observe_whole(link& target, const whole_transaction& whole);
    void observe_part(link& target, const whole_transaction::part& part, std::string& deliveries);
    void forget_transaction();
    void observe_local(const command& c);
    void observe_wait(const broker::blocking_call& call);
    void observe_wait_over();
    void observe_pop(std::string_view key, std::string_view message);
    void observe_end();
    void announce();
    [[nodiscard]] broker::wire_note about(broker::wire_kind kind) const;

    // session_pubsub.cpp
    step subscribe(const command& c, channels::name_kind kind);
    void continue_subscribe();
    step unsubscribe(const command& c, channels::name_kind kind);
    void unsubscribe_all();
    void confirm(std::string_view verb, channels::name_kind kind, std::optional<std::string_view> name);
    step publish(const command& c, channels::name_kind kind);
    step pubsub_query(const command& c);
    [[nodiscard]] std::string correct_numsub(const std::vector<std::string>& names, bool sharded,
                                             std::string_view reply) const;
    step wait_for_subscription();
    step script_fence(const command& c);
    [[nodiscard]] bool listens_to(channels::name_kind kind, std::string_view channel) const;
    [[nodiscard]] std::size_t subscription_count() const;
    step ping_subscribed(const command& c);

    // session_channels.cpp
    step channel_command(const command& c);
    struct run_channel_command;
    void say_channel_hello(const channel_caller& who, const channels::native::hello& what);
    void leave_layer();
    void forget_sent_messages();
    void channel_call_over(const channel_caller& who);

    // session_console.cpp
    step console(const command& c);
    step info_sidecar();

    struct extra {         // of an entry whose reply is not simply forwarded
        std::string text;  // channel of a publish, error of a poison
        std::vector<std::string> names;
        std::unique_ptr<transaction> tx;
        std::string reply;             // gathered
        channels::name_kind kind{};    // of the channel published to
        bool publishes = false;        // messages it causes follow its reply
        channels::layer_step layer{};  // of reply_use::guard
    };
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
    };
    using name_set = std::unordered_set<std::string, text_hash, std::equal_to<>>;
    struct subscriptions {
        name_set names[channels::name_kinds];
        std::deque<std::pair<channels::name_kind, std::string>> joining;
        std::string_view verb;
        int upstream = 0;
    };
    struct unsent_pop {           // an element whose reply is not yet in the kernel's hands
        std::uint64_t begins_at;  // position in the output
        int database;
        broker::popped what;
        std::optional<std::int64_t> ttl_ms;
        bool in_flight = false;  // noted upstream in K$inflight, from where it goes back
    };

    struct unsent_messages {  // of a normal channel, whose reply is not yet in the kernel's hands
        std::uint64_t begins_at;
        channels::layer_ref layer;
        std::string channel;
        std::vector<channels::spooled_message> messages;
    };
    struct layer_seat {  // after CH.HELLO
        shared_agreement agreed;
        std::uint32_t receiving = 0;  // CH.RECVs that may wait
        std::vector<unsent_messages> unsent;
    };

    shard_core& shard_;
    const std::uint64_t id_;
    const client_address address_;
    const user* user_;
    const user* served_by_user_ = nullptr;  // for whom link_ was chosen
    link* link_ = nullptr;                  // where the commands in flight went
    link* lease_ = nullptr;
    parked_call* parked_ = nullptr;

    std::string input_;  // bytes not yet consumed, when the read buffer could not be kept
    std::size_t input_at_ = 0;
    std::string_view window_;
    resp::command_scanner scanner_;
    output_queue output_;
    pipeline pipeline_;
    std::map<std::uint32_t, extra> extras_;
    std::unique_ptr<transaction> tx_;
    std::unique_ptr<subscriptions> subs_;
    std::vector<std::string> deferred_pushes_;
    std::size_t deferred_push_bytes_ = 0;
    std::uint32_t publishing_ = 0;  // own transactions in flight that publish
    std::vector<unsent_pop> unsent_pops_;
    std::unique_ptr<std::string> tx_deliveries_;  // that a transaction typed step by step notes
    std::string receiving_;                       // the queue it waits for in the shard's receiver_pool
    std::unique_ptr<layer_seat> seat_;

    std::string name_;
    std::string library_name_;
    std::string library_version_;
    time_point created_at_;
    time_point last_command_at_;
    time_point waiting_since_{};
    time_point last_progress_{};
    const command_spec* last_command_ = nullptr;
    link* paused_link_ = nullptr;
    std::uint64_t reply_bytes_ = 0;  // of the reply now arriving
    std::uint32_t small_replies_ = 0;
    std::uint64_t unanswered_bytes_ = 0;
    std::uint64_t fence_ticket_ = 0;   // see subscription_registry
    std::uint32_t entries_ = 0;        // with links and with the channel layer
    std::uint32_t channel_calls_ = 0;  // of those, with the channel layer
    std::uint32_t auth_failures_ = 0;
    std::uint8_t protocol_ = 2;
    std::uint8_t database_ = 0;
    stall stall_ = stall::none;
    stall waiting_for_ = stall::none;  // since waiting_since_, over several tries
    session_life life_ = session_life::open;
    reply_mode reply_mode_ = reply_mode::on;
    bool authenticated_ = false;
    bool in_handshake_ = false;
    bool processing_ = false;
    bool mid_reply_ = false;
    bool announced_ = false;  // a broker's observer knows of it
    bool tx_dirty_ = false;   // a queue-time refusal: EXEC will abort
    bool watching_ = false;
    bool tracking_ = false;
    bool tracking_broadcast_ = false;
    bool streaming_ = false;      // MONITOR
    bool lease_ends_ = false;     // when all is answered
    bool lease_tainted_ = false;  // never to be reused
    bool bulk_ = false;           // recent replies were large
    bool no_evict_ = false;
    bool no_touch_ = false;
    bool guarded_receiver_ = false;  // messages went to it that process.receives follows
    bool blocks_on_lease_ = false;   // a blocking command runs on the lease
    bool multi_is_resent_ = false;   // in the link loss being handled
    bool ended_ = false;             // the client sent its last byte
    bool resume_queued_ = false;
    bool parked_silent_ = false;  // CLIENT REPLY was off or skipping when the call was parked
    friend class shard_core;
};

}  // namespace sidecar
