#pragma once
// What the parts of the native channel layer say to each other.
//
//   channel   "specific.ab12!cd34" or a normal one, "jobs"
//   process   "specific.ab12": what stands before the "!"; its home is the node on which it said HELLO last
//   owner     whose queue a channel's messages wait in: "specific.ab12!", or the normal channel itself

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace channels {

using shared_payload = std::shared_ptr<const std::string>;

// One layer per prefix and db.
struct layer_ref {
    int database = 1;
    std::string prefix;
    auto operator<=>(const layer_ref&) const = default;
};

// A message that waited in Redis, or that one node hands to another. With a group, it is for every member
// that the process has in it but the excepted channels.
struct spooled_message {
    std::string channel;
    std::string group;
    std::vector<std::string> except;
    shared_payload body;
    std::int64_t expires_in_ms = 0;
};

struct membership {
    std::string group;
    std::string channel;
    std::int64_t expires_in_ms = 0;
};

// What a node tells Redis again when Redis may have forgotten it.
struct registration {
    layer_ref layer;
    std::string process;
    std::int64_t grace_ms = 10'000;
    std::vector<membership> memberships;
};

// What became of a group message among the members of one node or shard.
struct group_tally {
    std::uint64_t processes = 0;
    std::uint64_t members = 0;
    std::uint64_t delivered = 0;         // members
    std::uint64_t dropped_capacity = 0;  // members
    std::uint64_t dropped_slow = 0;      // members
    void add(const group_tally& other) {
        processes += other.processes;
        members += other.members;
        delivered += other.delivered;
        dropped_capacity += other.dropped_capacity;
        dropped_slow += other.dropped_slow;
    }
};

[[nodiscard]] inline bool is_normal(std::string_view channel) {
    return channel.find('!') == std::string_view::npos;
}
// Empty for a normal channel.
[[nodiscard]] inline std::string_view process_of(std::string_view channel) {
    return is_normal(channel) ? std::string_view{} : channel.substr(0, channel.find('!'));
}
[[nodiscard]] inline std::string_view owner_of_channel(std::string_view channel) {
    return is_normal(channel) ? channel : channel.substr(0, channel.find('!') + 1);
}

// The shard that keeps a process's state.
[[nodiscard]] inline int home_shard(const layer_ref& layer, std::string_view process, int shards) {
    const std::size_t hash = std::hash<std::string_view>{}(layer.prefix) * 31 +
                             std::hash<std::string_view>{}(process) +
                             static_cast<std::size_t>(layer.database);
    return static_cast<int>(hash % static_cast<std::size_t>(shards < 1 ? 1 : shards));
}

}  // namespace channels
