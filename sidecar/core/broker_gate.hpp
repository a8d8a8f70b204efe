#pragma once
// What stands between a broker's lists and its workers, on one shard: whether a waiting pop may ask for a
// list at all, and what becomes of a message that was popped. It is given to its client and followed until
// the worker has noted it, or a rule takes it elsewhere; either way it is always in some place that outlives
// its client.
//
//   admit(keys) ─→ pop upstream ─→ pass(message) ─┬─ deliver: the ledger follows it
//                                                 └─ kept: a script puts it where the rule says, the call
//                                                 goes on
//
// Scripts that got no answer are sent again until they have one: each does its work once.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/blocking_call.hpp"
#include "broker/delivery_rules.hpp"
#include "broker/delivery_scripts.hpp"
#include "broker/hand_over.hpp"
#include "broker/put_back.hpp"
#include "broker/wire_note.hpp"
#include "sidecar/core/clock.hpp"

namespace sidecar {

class shard_core;

// Lists that a pop may ask for now.
struct admission {
    std::vector<std::string> keys;
    std::vector<std::string> tokens;  // queues of which the pop holds a token of their rate
    bool all = true;
    time_point look_again{};  // when lists that are missing may be open
};

class broker_gate {
public:
    explicit broker_gate(shard_core& shard) : shard_(shard) {}
    broker_gate(const broker_gate&) = delete;
    broker_gate& operator=(const broker_gate&) = delete;

    void set_rules(std::shared_ptr<const broker::delivery_rules> rules);
    // Some queue of the db is closed at times.
    [[nodiscard]] bool closes_queues(int db) const;
    [[nodiscard]] bool closed(int db, std::string_view key) const;
    [[nodiscard]] std::uint64_t draining_dbs() const { return draining_dbs_; }
    [[nodiscard]] bool diverts_pushes(int db) const {
        return (draining_dbs_ >> static_cast<unsigned>(db) & 1U) != 0;
    }
    [[nodiscard]] bool drains(int db, std::string_view key) const;

    [[nodiscard]] admission admit(int db, const std::vector<std::string>& keys);
    // Tokens of a pop that took nothing from their queues. `popped`: the list it took from, or empty.
    void give_back(int db, const std::vector<std::string>& tokens, std::string_view popped);

    struct arrival {
        int db = 0;
        std::uint64_t client = 0;
        std::string_view reserved;  // its name in the reserve
    };
    enum class passage : std::uint8_t { deliver, followed, kept };
    [[nodiscard]] passage pass(const arrival& where, const broker::popped& what);

    // --- hand-over
    void asks_again(int db, std::uint64_t client);
    void client_gone(std::uint64_t client);
    // Of a note that succeeded.
    void noted(int db, std::string_view hash, std::string_view tag);
    // Nobody waits any more for what was popped.
    void return_reserved(int db, const broker::popped& what, std::string_view reserved);
    // The pop keeps its message in Redis until it is noted.
    [[nodiscard]] bool reserves(int db, const broker::blocking_call& call, std::uint64_t client);
    [[nodiscard]] std::string next_name();

    void finish_turn();
    void on_time(time_point now);
    [[nodiscard]] bool busy() const { return under_way_ > 0 || !errands_.empty() || !orphans_.empty(); }
    // Orphans go back at once.
    void begin_drain() { draining_ = true; }

private:
    struct errand {
        int db = 0;
        std::string command;
        std::function<void(std::string_view)> done;
        int attempt = 0;
        time_point at{};
    };
    struct orphan_at {
        time_point at;
        broker::hand_over::orphan what;
        std::uint64_t client;
    };

    [[nodiscard]] const broker::db_rules* rules(int db) const { return rules_ ? rules_->of(db) : nullptr; }
    void run(errand what);
    void put(const arrival& where, const broker::popped& from, std::string target, std::string_view rule,
             broker::placing extra = {});
    // `why` a rule took it; empty: a mark, whose copy is in the trash already.
    void trash(const arrival& where, const broker::popped& from, std::string_view why,
               const broker::message_head& head);
    [[nodiscard]] passage revoke(const arrival& where, const broker::popped& what, const std::string& reason,
                                 const broker::message_head& head);
    void count_redelivery(const arrival& where, const broker::popped& what, const std::string& tag);
    [[nodiscard]] passage follow(const arrival& where, const broker::popped& what, std::string tag);
    [[nodiscard]] passage look_inside(const arrival& where, const broker::popped& what);
    void put_back(const orphan_at& orphan);
    void tell(const arrival& where, broker::wire_kind kind, const broker::popped& what,
              std::string_view rule);
    void keep_reserve(time_point now);
    void release_paced();
    void load_hashes(int db);

    shard_core& shard_;
    std::shared_ptr<const broker::delivery_rules> rules_;
    std::vector<errand> errands_;  // to be sent again
    std::size_t under_way_ = 0;
    std::deque<orphan_at> orphans_;
    std::map<int, std::vector<std::string>> released_;  // of the reserve, by db
    std::map<int, bool> hashes_loaded_;
    time_point kept_reserve_at_{};
    time_point released_paced_at_{};
    std::map<int, bool> paced_wait_;  // by db; not known at first
    std::uint64_t draining_dbs_ = 0;  // with a queue that is draining
    bool draining_ = false;
};

// The same call for some of its lists.
[[nodiscard]] broker::blocking_call narrowed(const broker::blocking_call& call,
                                             const std::vector<std::string>& keys);

}  // namespace sidecar
