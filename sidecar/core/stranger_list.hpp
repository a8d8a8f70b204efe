#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "sidecar/core/clock.hpp"

namespace sidecar {

// Clients nobody knows yet, in order of arrival: their TLS handshake is unfinished, or they have not
// authenticated although they must. They have little time, and are the first to go when there is no room.
class stranger_list {
public:
    // Ids grow with time.
    void add(std::uint64_t id, time_point arrived) { arrivals_.emplace_hint(arrivals_.end(), id, arrived); }
    void remove(std::uint64_t id) { arrivals_.erase(id); }
    [[nodiscard]] std::size_t size() const { return arrivals_.size(); }

    // Who has been here longest, if that one came at `limit` or before.
    [[nodiscard]] std::optional<std::uint64_t> oldest_since(time_point limit) const {
        if (arrivals_.empty() || arrivals_.begin()->second > limit) return std::nullopt;
        return arrivals_.begin()->first;
    }

private:
    std::map<std::uint64_t, time_point> arrivals_;
};

}  // namespace sidecar
