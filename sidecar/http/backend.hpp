#pragma once
// What the HTTP side asks of the rest of the process. The functions are called on the HTTP thread and must be
// safe there; they should answer within milliseconds, as one thread serves every HTTP client.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sidecar {

struct database_state {
    int db = 0;
    std::string url_masked;
    std::string state;  // "ready" or why not: "connecting", "wrong password", "loading", …
    bool ok = false;
};

struct readiness {
    bool ok = false;
    std::vector<database_state> databases;
};

struct process_status {
    std::uint64_t uptime_seconds = 0;
    std::string policy;
    int threads = 0;
    std::uint64_t clients = 0;
    std::string state = "serving";  // "starting", "serving", "draining"
};

class http_routes;

struct http_backend {
    std::function<std::string()> metrics_text;  // Prometheus text; the server appends its own counters
    std::function<readiness()> ready;
    std::function<process_status()> status;
    // Runs a job on the control thread; false = too many wait there. Empty = there is no such thread.
    std::function<bool(std::function<void()>)> run_on_control{};
    // Adds the routes of features, once, before the first request.
    std::function<void(http_routes&)> add_routes{};
};

}  // namespace sidecar
