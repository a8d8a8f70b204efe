#pragma once
// Everything that inspects and steers the brokers, on a thread of its own: what the shards saw comes in as
// batches of notes, requests of the HTTP side as jobs. Whatever lies behind here is touched by that thread
// alone.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "broker/decode.hpp"
#include "broker/delivery_rules.hpp"
#include "broker/masking.hpp"
#include "broker/observer.hpp"
#include "broker/peer_board.hpp"
#include "broker/transcript.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/control/broker_desk.hpp"
#include "sidecar/control/broker_watch.hpp"
#include "sidecar/control/control_thread.hpp"
#include "sidecar/http/event_queue.hpp"

namespace sidecar {

struct broker_hooks {  // what it needs of the rest of the process; callable from its thread
    // A connected descriptor whose other end serves this db with all rights; -1 when there is none.
    std::function<int(int db)> connect;
    std::function<std::int64_t()> unix_us;
    std::function<std::string()> random_id;
    // Hands the rules to every shard; false when not all of them had them in time.
    std::function<bool(std::shared_ptr<const broker::delivery_rules>)> push_rules;
    // Ids of the clients that are open; nullopt when not every shard has answered.
    std::function<std::optional<std::vector<std::uint64_t>>()> open_clients;
    // Closes these clients' connections at once, and tells how many of them were open.
    std::function<std::size_t(std::vector<std::uint64_t> ids)> close_clients;
};

class broker_control {
public:
    broker_control(broker_settings settings, broker_hooks hooks);
    ~broker_control();
    broker_control(const broker_control&) = delete;
    broker_control& operator=(const broker_control&) = delete;

    void start();
    void stop();

    // From any thread.
    void take_notes(broker::note_batch batch) { thread_.post_batch(std::move(batch)); }
    [[nodiscard]] bool run(std::function<void()> job) { return thread_.post(std::move(job)); }
    [[nodiscard]] std::string metrics_text() const;

    // --- on the control thread
    // nullptr: not one of the broker's dbs.
    [[nodiscard]] broker_desk* desk(int db);
    // How the application with this prefix names its keys, as far as that was learnt.
    [[nodiscard]] broker::broker_layout layout_of(int db, const std::string& prefix) const;
    // How many messages of each queue workers hold.
    [[nodiscard]] const broker::unacked_counts& unacked_counts(broker_desk& desk,
                                                               const broker::broker_layout& layout);
    [[nodiscard]] const broker_settings& settings() const { return settings_; }
    [[nodiscard]] std::int64_t now_us() const { return hooks_.unix_us(); }
    [[nodiscard]] event_hub& events() { return events_; }
    [[nodiscard]] broker::observer& observer() { return observer_; }
    [[nodiscard]] broker_watch& watch() { return watch_; }
    [[nodiscard]] const broker::masking& mask() const { return mask_; }
    // How many of them were open.
    [[nodiscard]] std::size_t kick(std::vector<std::uint64_t> clients) const {
        return hooks_.close_clients(std::move(clients));
    }
    [[nodiscard]] std::string random_id() const { return hooks_.random_id(); }
    // After a change of rules: true once every shard applies them.
    bool push_rules();

private:
    void on_batch(const broker::note_batch& batch);
    void on_gap();
    void on_note(const broker::wire_note& note);
    void on_tick();
    void every_second(broker_desk& desk);
    void retain_clients();
    void drop_settled();
    // Back to the head of its queue, unless it is no longer where it was.
    restore_outcome restore(const broker::orphan_view& orphan);
    void carry_out_marks(broker_desk& desk);
    void carry_out_marks(broker_desk& desk, const std::string& list);

    const broker_settings settings_;
    const broker_hooks hooks_;
    std::map<int, std::unique_ptr<broker_desk>> desks_;
    broker::transcript transcript_;
    broker::observer observer_;
    broker::peer_board peers_;
    broker_watch watch_;
    broker::masking mask_;
    event_hub events_;
    std::int64_t second_us_ = 0;
    std::int64_t retained_us_ = 0;
    std::int64_t counted_us_ = 0;
    control_thread thread_;  // last: it uses all the others
};

}  // namespace sidecar
