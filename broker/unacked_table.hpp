#pragma once
// The messages that consumers hold, by delivery tag: from the pop until they are acknowledged. An entry is
// complete when its tag was written to `unacked` (`noted`); a pop that is never followed by that (no_ack) is
// forgotten after a while. Shards report independently, so a note may come before the pop it belongs to, or
// the acknowledgement before both: what was settled lately is remembered and not opened again.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/tag_key.hpp"

namespace broker {

struct held_message {
    std::string tag;
    std::uint8_t db = 0;
    std::optional<std::uint32_t> list;
    std::uint64_t popped_by = 0;  // client; 0 when not seen
    std::uint64_t noted_by = 0;   // client; 0 when not noted yet
    std::int64_t taken_us = 0;
    std::int64_t noted_us = 0;
    std::string hash;  // the unacked hash's name, when noted
    std::string id;
    std::string task;
    std::int64_t eta_us = 0;  // 0: none
    bool orphan_counted = false;

    // Whoever answers for it: the socket that noted it, else the one it was given to.
    [[nodiscard]] std::uint64_t client() const { return noted_by != 0 ? noted_by : popped_by; }
};

class unacked_table {
public:
    explicit unacked_table(std::size_t held_max) : held_max_(held_max) {}

    // The entry for the tag, made when there is room; nullptr: none, or it was settled at or after `at_us`.
    held_message* open(std::string_view tag, std::int64_t at_us);
    [[nodiscard]] held_message* find(std::string_view tag);
    [[nodiscard]] const held_message* find(std::string_view tag) const;
    void settle(std::string_view tag, std::int64_t at_us);
    // Removed without having been settled by a consumer.
    void erase(std::string_view tag);
    // Entries that were popped before and not noted, and what was settled long ago.
    void expire(std::int64_t now_us);
    void clear();

    template <typename Visit>
    void for_each(Visit&& visit) {
        for (auto& [key, held] : held_) visit(held);
    }
    template <typename Visit>
    void for_each(Visit&& visit) const {
        for (const auto& [key, held] : held_) visit(held);
    }
    [[nodiscard]] std::size_t size() const { return held_.size(); }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

private:
    static constexpr std::size_t settled_max = 100'000;
    static constexpr std::int64_t settled_kept_us = 10'000'000;
    static constexpr std::int64_t unnoted_kept_us = 60'000'000;

    std::size_t held_max_;
    std::unordered_map<tag_key, held_message, tag_key_hash> held_;
    std::unordered_map<tag_key, std::int64_t, tag_key_hash> settled_;
    std::deque<std::pair<std::int64_t, tag_key>> settled_order_;
    std::deque<std::pair<std::int64_t, tag_key>> opened_order_;
    std::uint64_t refused_ = 0;
};

}  // namespace broker
