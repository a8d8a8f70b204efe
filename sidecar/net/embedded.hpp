#pragma once
// A private redis-server for --embedded: on a unix socket only, data in a directory of its own, restarted
// when it dies, gone when the sidecar goes.

#include <memory>
#include <optional>
#include <string>

namespace sidecar {

struct embedded_settings {
    std::string data_dir;                  // made with mode 0700
    std::string program = "redis-server";  // looked up on PATH
    int ready_timeout_ms = 10'000;
    int stop_timeout_ms = 5'000;  // from SIGTERM to SIGKILL; Redis saves its data in between
    int restart_delay_ms_max = 5'000;
};

class embedded_redis {
public:
    explicit embedded_redis(embedded_settings settings);
    ~embedded_redis();  // stops
    embedded_redis(const embedded_redis&) = delete;
    embedded_redis& operator=(const embedded_redis&) = delete;

    // Starts it and waits until it answers PING. nullopt, or one line that says what is wrong.
    [[nodiscard]] std::optional<std::string> start();
    // Valid after start(). In data_dir, or in a short directory under /tmp where data_dir's path is too long
    // for a socket address.
    [[nodiscard]] const std::string& socket_path() const;
    // Of the server that runs now, 0 while there is none.
    [[nodiscard]] int process_id() const;
    [[nodiscard]] unsigned restarts() const;
    // SIGTERM, a bounded wait, SIGKILL. May be called more than once.
    void stop();

private:
    class supervisor;
    std::unique_ptr<supervisor> supervisor_;
};

}  // namespace sidecar
