#pragma once
// The native channel layer's side of Redis, one per shard: membership, homes of processes, messages that wait
// for a reader, history, and whatever concerns other nodes.
//
//   hub ── claim, send, join, group_send … ──→ channel_store ── script ──→ Redis
//   hub ←── channel_incoming ── channel_bus (shard 0) ←── inbox ── other nodes
//
// Every callback runs once, on this shard, never from inside the call that gave it; at the latest when the
// hold is over. What Redis could not be asked is answered `unavailable`, `unknown` or `ok = false`.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "channels/native_types.hpp"
#include "channels/node_message.hpp"
#include "sidecar/core/channel_bus.hpp"
#include "sidecar/core/channel_calls.hpp"
#include "sidecar/core/clock.hpp"

namespace sidecar {

class shard_core;

enum class store_result : std::uint8_t {
    ok,
    full,
    duplicate,
    gone,         // between nodes only: its home does not have the process
    unavailable,  // it certainly did not happen
    unknown,      // it may have happened
};

struct claim_answer {
    bool ok = false;
    // They come before what other nodes sent to the process since the claim began.
    std::vector<channels::spooled_message> messages;
    std::vector<channels::membership> memberships;
    std::uint64_t claims = 0;  // of all homes so far, this one included
};

struct group_wish {
    std::string group;
    channels::shared_payload body;
    std::vector<std::string> except;
    std::string id;                       // empty = none
    std::uint32_t history_items_max = 0;  // 0 = keep no history
    std::int64_t history_ttl_ms = 0;
    std::int64_t expiry_ms = 60'000;
    std::uint64_t capacity = 100;  // of the spools of members without a home
    bool tallied = false;          // wait for the other nodes' tallies
};

struct group_answer {
    store_result result = store_result::unavailable;
    std::uint32_t nodes = 0;          // others it was sent to
    std::uint64_t processes = 0;      // on those nodes
    std::uint64_t spooled = 0;        // owners without a home in whose spool it waits
    std::uint64_t spool_dropped = 0;  // whose spool was full
    std::uint64_t members = 0;        // of the group, everywhere
    channels::group_tally others;     // with `tallied`: from those nodes that answered in time
    std::uint64_t offset = 0;         // of the history, 0 without
    std::string epoch;
    std::uint64_t claims = 0;  // of homes when it was sent
};

struct count_answer {
    bool ok = false;
    std::int64_t number = 0;
};
struct page_answer {
    bool ok = false;
    std::string cursor = "0";
    std::vector<std::string> names;
};
struct history_wish {
    std::string group;
    std::string epoch;  // empty = no SINCE: the newest
    std::uint64_t offset = 0;
    std::uint32_t limit = 100;
};
struct history_answer {
    bool ok = false;
    std::string epoch;
    std::uint64_t top = 0;
    bool recovered = false;
    std::vector<std::pair<std::uint64_t, std::string>> items;
};
struct receive_answer {
    bool ok = false;
    std::vector<channels::spooled_message> messages;
};

// What other nodes ask of the processes of this shard. The hub answers; no call back into the store from
// here.
class channel_incoming {
public:
    virtual store_result on_send(const channels::layer_ref& layer, std::string_view channel,
                                 channels::shared_payload body, std::uint64_t capacity,
                                 std::int64_t expiry_ms) = 0;
    virtual channels::group_tally on_group(const channels::layer_ref& layer, std::string_view group,
                                           channels::shared_payload body,
                                           const std::vector<std::string>& except,
                                           std::int64_t expiry_ms) = 0;
    // Channels of one process.
    virtual void on_join(const channels::layer_ref& layer, std::string_view group,
                         const std::vector<std::string>& channels, std::int64_t expires_in_ms) = 0;
    virtual void on_leave(const channels::layer_ref& layer, std::string_view group,
                          const std::vector<std::string>& channels) = 0;
    virtual void on_leave_all(const channels::layer_ref& layer, std::string_view channel) = 0;
    // Waited in Redis while it had forgotten the process, or another node's hub had it.
    virtual void on_spooled(const channels::layer_ref& layer, std::string_view process,
                            std::vector<channels::spooled_message> messages) = 0;
    // The process has said HELLO on another node, and its claim was the so-manieth: it is forgotten here,
    // without a release(). `left` gets what no client has been given yet, soon, unless that is nothing.
    virtual void on_taken(const channels::layer_ref& layer, std::string_view process, std::uint64_t claims,
                          std::function<void(std::vector<channels::spooled_message>)> left) = 0;
    virtual void on_flush(const channels::layer_ref& layer) = 0;
    // There may be a message on a normal channel.
    virtual void on_wake(const channels::layer_ref& layer, std::string_view channel) = 0;
    virtual std::vector<channels::registration> snapshot(int database) = 0;

protected:
    ~channel_incoming() = default;
};

class channel_store {
public:
    template <class T>
    using callback = std::function<void(T)>;
    using names = std::vector<std::string>;
    using layer_ref = channels::layer_ref;

    explicit channel_store(shard_core& shard);
    ~channel_store();
    channel_store(const channel_store&) = delete;
    channel_store& operator=(const channel_store&) = delete;

    void attach(channel_incoming& hub) { hub_ = &hub; }
    [[nodiscard]] channel_incoming* hub() const { return hub_; }

    // --- processes
    void claim(const layer_ref& layer, std::string_view process, std::int64_t grace_ms,
               callback<claim_answer> done);
    // Its grace time is over: home and memberships go.
    void release(const layer_ref& layer, std::string_view process);

    // --- messages. To a channel whose process is not at home on this node, or to a normal channel.
    void send(const layer_ref& layer, std::string_view channel, channels::shared_payload body,
              std::uint64_t capacity, std::int64_t expiry_ms, std::string_view id,
              callback<store_result> done);
    // From a normal channel. When there is nothing and wait_ms is not 0, on_wake() tells of the next message
    // within that time.
    void receive(const layer_ref& layer, std::string_view channel, std::uint32_t count, std::int64_t wait_ms,
                 callback<receive_answer> done);
    // In the order they were received.
    void put_back(const layer_ref& layer, std::string_view channel,
                  std::vector<channels::spooled_message> messages);

    // --- groups. Each pair is (group, channel); the number is that of changes.
    void join(const layer_ref& layer, std::vector<std::pair<std::string, std::string>> pairs,
              std::int64_t group_expiry_ms, callback<count_answer> done);
    void leave(const layer_ref& layer, std::vector<std::pair<std::string, std::string>> pairs,
               callback<count_answer> done);
    void leave_all(const layer_ref& layer, names channels, callback<count_answer> done);
    // Members of this node are the hub's affair and not among those it is sent to.
    void group_send(const layer_ref& layer, const group_wish& wish, const callback<group_answer>& done);
    void count(const layer_ref& layer, std::string_view group, callback<count_answer> done);
    void members(const layer_ref& layer, std::string_view group, std::string_view cursor, std::uint32_t count,
                 callback<page_answer> done);
    void groups(const layer_ref& layer, std::string_view pattern, std::string_view cursor,
                std::uint32_t count, callback<page_answer> done);
    void history(const layer_ref& layer, const history_wish& wish, callback<history_answer> done);

    // --- the rest
    // ok the first time the key is seen within the time, else duplicate.
    void once(const layer_ref& layer, std::string_view key, std::int64_t keep_ms,
              callback<store_result> done);
    // ok when every live node has confirmed, this one included.
    void flush(const layer_ref& layer, callback<store_result> done);

    // --- for the bus and the shard
    void on_time(time_point now);
    void close() { calls_.close(); }
    // On the process's shard, or on every shard for what concerns all.
    channels::group_tally serve(const std::shared_ptr<const channels::node_message>& message);
    void answer_to(const channels::node_message& asked, store_result result,
                   const channels::group_tally& tally = {});
    // This node is known to Redis; with `again`, Redis had forgotten it.
    enum class registered : std::uint8_t { still, again };
    void on_registered(int database, registered how);
    void on_unregistered(int database) { calls_.set_ready(database, false); }
    channel_bus bus;  // of shard 0; others' are idle

private:
    // What other nodes are asked, until all have answered or time is up.
    struct request {
        std::optional<std::uint32_t> wanted;  // answers, once it is known
        std::uint32_t answered = 0;
        store_result result = store_result::unknown;  // the last one's
        channels::group_tally tally;
        std::function<void(const request&)> done;
        time_point deadline;
    };
    friend class channel_bus;
    void run(channels::native_call call, channel_calls::answer done);
    [[nodiscard]] channels::native_call call(channels::script which, const layer_ref& layer,
                                             std::initializer_list<std::string_view> args = {}) const;
    void run_in_batches(std::vector<channels::native_call> calls, callback<count_answer> done);
    void publish(std::string_view node, channels::node_message message);
    void hand_over(const channels::node_message& taken,
                   const std::vector<channels::spooled_message>& messages);
    std::uint64_t begin_request(std::function<void(const request&)> done);
    void finish_request(std::uint64_t id);
    void expect(std::uint64_t id, std::uint32_t answers);

    struct letter {
        layer_ref layer;
        std::string channel;
        channels::shared_payload body;
        std::uint64_t capacity;
        std::int64_t expiry_ms;
        std::string id;
        callback<store_result> done;
    };
    void send_letter(const std::shared_ptr<letter>& what, std::string_view gone_node, int attempt);
    void deliver_letter(const std::shared_ptr<letter>& what, const std::string& node, store_result result,
                        int attempt);
    void on_answer(const channels::node_message& answer);
    void register_again(const channels::registration& what);
    void flush_keys(const layer_ref& layer, std::uint64_t request_id);

    shard_core& shard_;
    channel_incoming* hub_ = nullptr;
    channel_calls calls_;
    std::map<std::uint64_t, request> requests_;
    std::uint64_t last_request_ = 0;
    std::uint64_t last_epoch_ = 0;
};

}  // namespace sidecar
