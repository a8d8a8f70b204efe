#pragma once
// The processes that are at home on one shard: their queues, and which of their channels are in which group.
// A group message is put once into the queue of each process that has a member, however many members.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "channels/envelope.hpp"
#include "channels/message_queue.hpp"
#include "channels/native_types.hpp"

namespace channels {

struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};
template <class T>
using by_name = std::unordered_map<std::string, T, text_hash, std::equal_to<>>;

class hub;
struct layer_state;
struct process_watcher;  // whoever looks after the process outside

// One process: what stands before the "!" of its channels.
class process {
public:
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const layer_ref& layer() const;
    [[nodiscard]] std::size_t memberships() const { return membership_count_; }

    message_queue queue;
    std::uint64_t capacity = 100;  // of group messages
    process_watcher* watcher = nullptr;

private:
    friend class hub;
    struct seat {  // this process in one group
        std::size_t index = 0;
        by_name<moment> channels;  // and when each membership ends
    };
    std::string name_;
    layer_state* layer_ = nullptr;
    by_name<seat> groups_;
    by_name<std::vector<std::string>> groups_of_channel_;
    std::size_t membership_count_ = 0;
    bool ready_ = false;  // is in the hub's list of those with something to give
};

enum class join_result : std::uint8_t { joined, renewed, too_many };
// Whether the client of the process knows of a change without being told.
enum class told : std::uint8_t { knows, must_be_told };

class hub {
public:
    struct limits {
        std::size_t processes = 20'000;
        std::size_t memberships_of_process = 500'000;
        std::size_t queued_bytes = 1U << 30;
    };
    struct totals {
        std::size_t processes = 0, groups = 0, memberships = 0, messages = 0, bytes = 0;
        std::uint64_t expired = 0, dropped_capacity = 0, dropped_slow = 0;
        void add(const totals& other);
    };

    explicit hub(limits bounds) : bounds_(bounds) {}
    hub();
    ~hub();
    hub(const hub&) = delete;
    hub& operator=(const hub&) = delete;

    // --- processes
    [[nodiscard]] process* find(const layer_ref& layer, std::string_view name);
    // nullptr: there are as many as there may be.
    process* open(const layer_ref& layer, std::string_view name);
    void close(process& gone);
    template <class F>
    void each_process(F&& f) {
        for (auto& [ref, layer] : layers_) each_of(*layer, f);
    }
    // Queues and memberships of the layer are emptied; its processes stay, and are told.
    void flush(const layer_ref& layer);

    // --- messages
    push_result send(process& to, shared_envelope what, moment expires, moment now, std::size_t capacity);
    group_tally send_group(const layer_ref& layer, std::string_view group, std::string_view body,
                           const std::vector<std::string>& except, moment expires, moment now);
    // Whether the process has members in the group besides the excepted channels.
    [[nodiscard]] bool is_meant(const process& who, std::string_view group,
                                const std::vector<std::string>& except) const;
    // What waited before the process was here: without regard to its capacity.
    void deliver_spooled(process& to, const std::vector<spooled_message>& messages, moment now);
    // Processes that have got something to give since the last call, and still are here.
    [[nodiscard]] std::vector<process*> take_ready();
    [[nodiscard]] bool any_ready() const { return !ready_.empty(); }
    void mark_ready(process& which);

    // --- groups
    join_result join(process& who, std::string_view group, std::string_view channel, moment until, told how);
    bool leave(process& who, std::string_view group, std::string_view channel, told how);
    std::size_t leave_all(process& who, std::string_view channel, told how);
    void expire_memberships(moment now);
    [[nodiscard]] std::vector<registration> snapshot(int database, moment now) const;

    [[nodiscard]] totals count() const;
    [[nodiscard]] totals count(const layer_ref& layer) const;

private:
    template <class F>
    void each_of(layer_state& layer, F&& f);
    [[nodiscard]] layer_state* find_layer(const layer_ref& layer);
    void tell(process& who, notice what, std::string_view channel, std::string_view group);
    void drop_seat(process& who, std::string_view group);
    [[nodiscard]] static std::uint64_t excepted(const process::seat& in, const process& who,
                                                const std::vector<std::string>& except);

    limits bounds_;
    std::map<layer_ref, std::unique_ptr<layer_state>> layers_;
    std::vector<process*> ready_;
    std::size_t process_count_ = 0;
    std::size_t queued_bytes_ = 0;
    moment next_end_ = moment::max();  // no membership ends before
};

struct layer_state {
    struct member {
        process* who = nullptr;
        std::uint64_t channels = 0;
    };
    layer_ref ref;
    by_name<std::unique_ptr<process>> processes;
    by_name<std::vector<member>> groups;
    std::uint64_t expired = 0;  // of processes that are gone
    std::uint64_t dropped_capacity = 0, dropped_slow = 0;
};

template <class F>
void hub::each_of(layer_state& layer, F&& f) {
    for (auto& [name, who] : layer.processes) f(*who);
}

}  // namespace channels
