#pragma once
// One blocking call on its way to an answer. It belongs to the shard, not to the session: when the client
// goes away the call lives on until Redis has said whether it popped something, and what it popped goes back.
//
//   shut ──a list opens──→ waiting       (a broker's rules close lists, see broker_gate)
//   waiting ──lease granted──→ on_lease ──reply──→ done; or kept from the client: waiting again
//      │  └─ polled meanwhile (poller) ──found──→ done
//      └─ deadline ──→ done (nil)                    lease lost: back to waiting, with the time that remains
//
// A call never has two pops under way: a lease granted while it is polled for is used once that poll is over.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/blocking_call.hpp"
#include "broker/put_back.hpp"
#include "sidecar/core/clock.hpp"
#include "sidecar/core/lease_pool.hpp"
#include "sidecar/core/upstream_queue.hpp"

namespace sidecar {

class session;
class shard_core;
class poll_group;

class parked_call final : public reply_owner, public lease_waiter {
public:
    parked_call(shard_core& shard, session& client, broker::blocking_call call, link_key key,
                std::uint16_t command);
    ~parked_call();
    parked_call(const parked_call&) = delete;
    parked_call& operator=(const parked_call&) = delete;

    void start();
    // The client is gone. Nothing is told to it any more.
    void abandon();
    // CLIENT UNBLOCK, and drain. False when there is nothing to unblock any more.
    enum class unblock_as : std::uint8_t { timeout, error };
    bool unblock(unblock_as how);
    // Ends a call that waits for its turn and whose time is over.
    void on_time(time_point now);

    // The lease could not be connected: back to waiting, and polling.
    void on_lease_failed(const link& lease);
    // From the poller: the call is answered; or it is not, and whoever has a lease may use it. `reserved`:
    // the name of what was popped in the reserve.
    void on_found(const std::string& reply, std::string_view reserved);
    void on_poll_over();

    [[nodiscard]] const broker::blocking_call& call() const { return call_; }
    [[nodiscard]] const link_key& key() const { return key_; }
    [[nodiscard]] std::uint16_t command() const { return command_; }
    [[nodiscard]] bool abandoned() const { return client_ == nullptr; }
    [[nodiscard]] bool done() const { return state_ == state::done; }
    // Nothing points at it any more.
    [[nodiscard]] bool disposable() const { return done() && unblocks_asked_ == 0 && lease_ == nullptr; }
    [[nodiscard]] bool waiting() const { return state_ == state::waiting; }
    [[nodiscard]] bool shut() const { return state_ == state::shut; }
    // It is asked by a script that keeps what it pops, never on a connection of its own.
    [[nodiscard]] bool reserves() const { return reserves_; }
    // A broker's rules have changed.
    void on_rules();

    // reply_owner
    void on_reply(const upstream_entry& entry, std::string_view bytes, bool complete) override;
    loss_verdict on_link_lost(const upstream_entry& entry, bool sent) override;
    void on_never_sent(const upstream_entry& entry) override;
    [[nodiscard]] bool wants_still() const override { return client_ != nullptr; }
    // lease_waiter
    void on_lease(link& lease) override;
    // The control connection's answer to CLIENT UNBLOCK.
    void on_unblock_answered(std::string_view reply);

    poll_group* polled_in = nullptr;

private:
    enum class state : std::uint8_t { shut, waiting, on_lease, done };
    [[nodiscard]] bool steered() const;
    bool admit();
    void shut_out();
    void give_tokens_back(std::string_view popped_from);
    void go_on();
    bool kept_from_client(const std::optional<broker::popped>& what, std::string_view reply,
                          std::string_view reserved);
    void set_done();
    void drop_lease();
    void give_up();
    void ask_unblock(unblock_as how);
    void issue(link& lease);
    void finish(const std::string& reply, std::string_view reserved);
    void tell(const std::string& reply);
    void release_lease();
    void wait_again();
    [[nodiscard]] std::optional<std::chrono::milliseconds> remaining() const;
    [[nodiscard]] std::optional<std::chrono::milliseconds> patience() const;

    shard_core& shard_;
    session* client_;
    broker::blocking_call call_;
    link_key key_;
    std::uint16_t command_;
    state state_ = state::waiting;
    link* lease_ = nullptr;
    std::optional<time_point> deadline_;
    std::optional<time_point> poll_from_;
    std::string reply_;
    std::map<std::uint32_t, std::int64_t> ttl_ms_;  // by index of the key
    int unblocks_asked_ = 0;  // and not answered: until then upstream may hit whoever uses the lease
    // The call was not yet known upstream when it was to be unblocked: asked again.
    std::optional<unblock_as> unblock_again_;
    unblock_as unblock_how_ = unblock_as::timeout;
    // Of a broker's client: what upstream is asked for, which may be less than the client wants.
    std::optional<broker::blocking_call> asked_;
    std::vector<std::string> tokens_;
    time_point look_again_{};
    bool looks_again_ = false;  // a nil before its time is not the client's
    bool reserves_ = false;
    bool followed_ = false;  // what it popped is in the hand-over's ledger
};

}  // namespace sidecar
