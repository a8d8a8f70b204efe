#pragma once
// The native channel layer on one shard. A process's state lives on the shard that its name is hashed to, so
// a connection's request goes there and its answer comes back into the connection's pipeline slot.
//
//   session ─ CH.* → channel_service of its shard ─ to_shard → channel_service of the process's shard
//      ↑                                                          hub, readers, channel_store
//      └───────────────── answer / delivery ───────────────────────┘
//
// What one shard says to another during a turn travels together, in order. Waiting readers are served at the
// turn's end: what a burst brought is one reply.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "channels/hub.hpp"
#include "channels/native_command.hpp"
#include "sidecar/core/channel_store.hpp"
#include "sidecar/core/clock.hpp"
#include "sidecar/core/metrics.hpp"

namespace sidecar {

class session;
class shard_core;

enum class answer_kind : std::uint8_t { shown, silent };

// Whose question it is: a slot in the pipeline of a session.
struct channel_caller {
    int shard = 0;
    std::uint64_t session = 0;
    std::uint32_t number = 0;
    std::uint32_t command_bytes = 0;
    std::uint8_t protocol = 2;
    answer_kind shows = answer_kind::shown;
    bool waits = false;  // a CH.RECV with BLOCK
};

// The terms of a layer as a connection agreed them, shared by its requests under way.
struct channel_agreement {
    channels::layer_ref layer;
    std::string process;  // empty: the connection only looks on
    channels::native::terms terms;
    int owner = 0;  // shard of the process

    [[nodiscard]] std::uint64_t capacity_of(std::string_view channel) const {
        return terms.capacities.capacity_of(channels::owner_of_channel(channel));
    }
};
using shared_agreement = std::shared_ptr<const channel_agreement>;

using channel_messages = std::span<const channels::message_queue::entry>;

class channel_service final : public channel_incoming {
public:
    explicit channel_service(shard_core& shard);
    ~channel_service();

    // --- from sessions of this shard
    void hello(const channel_caller& who, shared_agreement agreed);
    void leave(shared_agreement agreed, std::uint64_t session);  // its connection is over or says HELLO anew
    void send(const channel_caller& who, const shared_agreement& by, const channels::native::send& what);
    void receive(const channel_caller& who, const shared_agreement& by,
                 const channels::native::receive& what);
    void acknowledge(const channel_caller& who, const shared_agreement& by,
                     const channels::native::acknowledge& what);
    void join(const channel_caller& who, shared_agreement by,
              const std::vector<channels::native::pair>& pairs);
    void leave_groups(const channel_caller& who, shared_agreement by,
                      const std::vector<channels::native::pair>& pairs);
    void leave_all(const channel_caller& who, shared_agreement by,
                   const std::vector<std::string_view>& channels);
    void group_send(const channel_caller& who, shared_agreement by, const channels::native::group_send& what);
    void once(const channel_caller& who, const shared_agreement& by, const channels::native::once& what);
    void history(const channel_caller& who, const shared_agreement& by,
                 const channels::native::history& what);
    void count(const channel_caller& who, const shared_agreement& by, std::string_view group);
    void members(const channel_caller& who, const shared_agreement& by,
                 const channels::native::members& what);
    void groups(const channel_caller& who, const shared_agreement& by, const channels::native::groups& what);
    void flush(const channel_caller& who, const shared_agreement& by, std::string_view prefix);
    void stats(const channel_caller& who, const shared_agreement& by);
    // A connection that was waiting for messages of a normal channel is gone, or did not get what was popped.
    void forget_normal_readers(std::uint64_t session);

    // --- the shard's side
    void finish_turn();
    void on_time(time_point now);
    void begin_drain();
    void add_to(gauges& now) const;
    [[nodiscard]] std::size_t waiting_readers() const;

    // --- channel_incoming
    store_result on_send(const channels::layer_ref& layer, std::string_view channel,
                         channels::shared_payload body, std::uint64_t capacity,
                         std::int64_t expiry_ms) override;
    channels::group_tally on_group(const channels::layer_ref& layer, std::string_view group,
                                   channels::shared_payload body, const std::vector<std::string>& except,
                                   std::int64_t expiry_ms) override;
    void on_join(const channels::layer_ref& layer, std::string_view group,
                 const std::vector<std::string>& channels, std::int64_t expires_in_ms) override;
    void on_leave(const channels::layer_ref& layer, std::string_view group,
                  const std::vector<std::string>& channels) override;
    void on_leave_all(const channels::layer_ref& layer, std::string_view channel) override;
    void on_spooled(const channels::layer_ref& layer, std::string_view process,
                    std::vector<channels::spooled_message> messages) override;
    void on_taken(const channels::layer_ref& layer, std::string_view process, std::uint64_t claims,
                  std::function<void(std::vector<channels::spooled_message>)> left) override;
    void on_flush(const channels::layer_ref& layer) override;
    void on_wake(const channels::layer_ref& layer, std::string_view channel) override;
    std::vector<channels::registration> snapshot(int database) override;

private:
    using task = std::function<void(channel_service&)>;
    struct connection {
        int shard = 0;
        std::uint64_t session = 0;
        bool operator==(const connection&) const = default;
    };
    struct reader {
        channel_caller who;
        std::uint32_t count = 0;
        time_point until{};
    };
    struct group_call;
    // A group message that came while a home's claim was under way, when its members were not known here.
    struct early_message {
        std::shared_ptr<group_call> call;  // of this node; null: another node's, sent to us as its home
        channels::spooled_message what;
        time_point expires{};
        bool due = true;  // it is not in the spool
    };
    enum class claim_step : std::uint8_t {
        asking,     // the store has not answered
        resolving,  // members are known; of early messages it is not yet known whether they were spooled
        done,       // before that nobody is given anything
    };
    // What this shard knows of a process beyond its queue and groups.
    struct home {
        shared_agreement agreed;
        channels::process* in_hub = nullptr;
        claim_step claim = claim_step::asking;
        std::vector<early_message> early;
        std::vector<channels::spooled_message> spooled;  // with the claim
        int claim_waits = 0;                             // for answers of shards
        std::vector<connection> connections;
        connection last_reader;
        std::deque<reader> readers;
        std::optional<time_point> lost_at;
        std::vector<channel_caller> greeted;  // to be answered after the claim
        std::string session_id;
        std::string epoch;
        std::uint64_t token = 0;  // tells this home from a later one of the same name
    };
    struct normal_reader {
        channel_caller who;
        channels::layer_ref layer;
        std::string channel;
        std::uint32_t count = 0;
        time_point until{};
        bool asking = false;
        bool woken = false;  // while it was asking
    };

    // A message to one channel on its way to the shard of the channel's process.
    struct letter {
        channels::layer_ref layer;
        std::string channel;
        channels::shared_payload body;
        std::uint64_t capacity = 0;
        std::int64_t expiry_ms = 0;
        std::string id;
    };

    static std::string key_of(const channels::layer_ref& layer, std::string_view process);
    [[nodiscard]] home* find_home(const channels::layer_ref& layer, std::string_view process);
    void to_shard(int shard, task what);
    [[nodiscard]] int shard_of(const channels::layer_ref& layer, std::string_view process) const;
    void answer(const channel_caller& who, std::string bytes);
    void answer_nothing(const channel_caller& who);
    void answer_error(const channel_caller& who, std::string_view text);
    void answer_number(const channel_caller& who, std::int64_t number);

    // on the process's shard
    void hello_at_home(const channel_caller& who, const shared_agreement& agreed);
    home* open_home(const channels::layer_ref& layer, const std::string& process);
    [[nodiscard]] home* find_home(const std::string& key, std::uint64_t token);
    void claim(home& which);
    void ask_store_for(const std::string& key, std::uint64_t token);
    void on_claimed(const std::string& key, std::uint64_t token, const claim_answer& answer);
    void resolve(home& which, std::size_t early, std::uint64_t claims);
    void finish_claim(home& which);
    void note_early(const channels::layer_ref& layer, const early_message& what);
    channels::group_tally deliver_group(const channels::layer_ref& layer, early_message what);
    struct leaving;
    void finish_leaving(leaving& process);
    void forget_given(time_point now);
    // What of this shard's group messages has not been answered; for whoever begins to claim.
    [[nodiscard]] std::vector<std::shared_ptr<group_call>> group_calls_of(const channels::layer_ref& layer);
    void when_answered(const std::shared_ptr<group_call>& call, std::function<void(const group_call&)> then);
    void refuse_hello(const channel_caller& who, const shared_agreement& agreed);
    void greet(const channel_caller& who, const home& which);
    void leave_home(const channels::layer_ref& layer, const std::string& process, connection gone);
    void drop(home& which, std::string_view cause);
    void close_readers(home& which);
    void send_at_home(const channel_caller& who, const letter& what);
    void receive_at_home(const channel_caller& who, const shared_agreement& by,
                         const channels::native::receive& what);
    bool acknowledge_at_home(home& which, std::optional<std::uint64_t> seq,
                             std::optional<std::uint64_t> held);
    void serve_readers(home& which);
    void give(home& which, const reader& to);
    struct membership_call;
    void deliver_to_all_shards(const std::shared_ptr<group_call>& call);
    void ask_group_store(const std::shared_ptr<group_call>& call);
    void finish(group_call& call);
    struct stats_call;
    void finish(stats_call& call);
    void answer_page(const channel_caller& who, const page_answer& got);
    void change_groups(const std::shared_ptr<membership_call>& call);
    std::uint64_t change_here(const membership_call& call, int shard);
    void finish(membership_call& call);

    // normal channels, on the connection's own shard
    void receive_normal(const channel_caller& who, const shared_agreement& by,
                        const channels::native::receive& what);
    void ask_normal(const std::shared_ptr<normal_reader>& who);
    void on_normal_answer(const std::shared_ptr<normal_reader>& who, const receive_answer& got);

    shard_core& shard_;
    channels::hub hub_;
    channels::by_name<std::unique_ptr<home>> homes_;
    std::vector<std::shared_ptr<normal_reader>> normal_readers_;
    std::deque<std::shared_ptr<group_call>>
        group_calls_;              // whose script has not been answered, and some more
    std::vector<home*> claiming_;  // in step asking
    struct given_message {
        std::shared_ptr<group_call> call;
        time_point at{};
    };
    std::deque<given_message> given_;  // of this node, to processes here, lately
    std::size_t given_bytes_ = 0;
    // Replies for readers on another shard, gathered over a turn.
    struct batch {
        struct slice {
            channel_caller who;
            std::size_t first = 0, count = 0;
        };
        std::vector<slice> slices;
        std::vector<channels::message_queue::entry> messages;
    };
    std::vector<std::vector<task>> outbox_;  // by shard
    std::vector<batch> batches_;             // by shard
    std::vector<channels::message_queue::entry> scratch_;
    std::uint64_t next_token_ = 1;
    time_point swept_at_{};
    bool draining_ = false;
};

}  // namespace sidecar
