#pragma once
// CH.*: what the words of a command ask for, or what is wrong with them. Views point into the words.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "channels/capacity_rules.hpp"

namespace channels::native {

using pair = std::pair<std::string_view, std::string_view>;  // group, channel

// What CH.HELLO sets; the same for all connections that say the same.
struct terms {
    std::chrono::milliseconds expiry{60'000};
    std::chrono::milliseconds group_expiry{86'400'000};
    std::chrono::milliseconds grace{10'000};
    std::uint32_t channel_capacity = 0;
    std::uint64_t message_bytes_max = 1U << 20;
    capacity_rules capacities;
};

struct hello {
    std::string_view prefix, process;
    terms agreed;
};
struct send {
    std::string_view channel, body, id;
    std::optional<std::chrono::milliseconds> expiry;
    std::optional<std::uint32_t> capacity;  // whatever the rules say
};
struct receive {
    std::string_view from;  // a process, or a normal channel
    std::optional<std::uint64_t> ack;
    std::optional<std::uint64_t> held;
    std::uint32_t count = 100;
    std::chrono::milliseconds block{0};
};
struct acknowledge {
    std::string_view process;
    std::uint64_t seq = 0;
    std::optional<std::uint64_t> held;
};
struct join {
    std::vector<pair> pairs;
};
struct leave {
    std::vector<pair> pairs;
};
struct leave_all {
    std::vector<std::string_view> channels;
};
struct group_send {
    std::string_view group, body, id;
    std::vector<std::string_view> except;
    std::uint32_t history_items = 0;
    std::chrono::milliseconds history_ttl{0};
    bool tallied = false;
};
struct once {
    std::string_view key;
    std::chrono::milliseconds keep{300'000};
};
struct history {
    std::string_view group, epoch;
    std::uint64_t offset = 0;
    std::uint32_t limit = 100;
};
struct count {
    std::string_view group;
};
struct members {
    std::string_view group, cursor = "0";
    std::uint32_t count = 100;
};
struct groups {
    std::string_view pattern, cursor = "0";
    std::uint32_t count = 100;
};
struct flush {
    std::string_view prefix;  // empty: that of the connection
};
struct stats {};
struct info {};
struct help {};

struct mistake {
    std::string error;  // with its prefix: "ERR …", "BADNAME …", "MSGTOOLARGE …"
};

using command = std::variant<mistake, hello, send, receive, acknowledge, join, leave, leave_all, group_send,
                             once, history, count, members, groups, flush, stats, info, help>;

inline constexpr std::chrono::milliseconds block_max{4'500};
inline constexpr std::uint64_t message_bytes_limit = 64U << 20;  // whatever CH.HELLO says

// args[0] is the name of one of the commands above, in any case. `message_bytes_max` is what was agreed.
[[nodiscard]] command parse(std::span<const std::string_view> args, std::uint64_t message_bytes_max);

}  // namespace channels::native
