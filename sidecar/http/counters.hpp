#pragma once
// What the HTTP server counts about itself; used on its thread only.

#include <cstdint>
#include <map>
#include <string>

namespace sidecar {

struct http_counters {
    std::map<unsigned, std::uint64_t> responses;  // by status
    std::uint64_t connections = 0;                // open now
    std::uint64_t connections_refused = 0;        // beyond the limit
    std::uint64_t timeouts = 0;

    // Prometheus text of all of them.
    [[nodiscard]] std::string text() const;
};

}  // namespace sidecar
