#pragma once
#include <algorithm>
#include <cstdint>

#include "sidecar/config/config.hpp"

namespace sidecar {

// What upstream connections, listeners, HTTP and the log may need beside the clients.
inline std::uint64_t descriptors_beside_clients(const config& settings) {
    constexpr std::uint64_t links_of_a_shard = 16;
    constexpr std::uint64_t everything_else = 64;
    return settings.leases_max + links_of_a_shard * static_cast<std::uint64_t>(settings.threads) +
           everything_else;
}

// How many clients may come when the process may open so many descriptors. Without this bound clients would
// take those that a lost upstream connection needs to come back.
inline std::uint32_t clients_within(std::uint64_t descriptors, const config& settings) {
    const std::uint64_t kept = std::min(descriptors_beside_clients(settings), descriptors / 2);
    return static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(descriptors - kept, 1, std::max(settings.clients_max, 1U)));
}

}  // namespace sidecar
