#pragma once
// The log of the process: one line an event to stderr, as text or as JSON, from any thread.
//   2026-01-31T12:00:00.000Z info client closed client=12 addr=1.2.3.4:5 cause="output limit"
//   {"time":"2026-01-31T12:00:00.000Z","level":"info","event":"client closed","client":"12", …}
// Passwords and values of commands are never given to it.

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sidecar {

enum class log_level : std::uint8_t { trace, debug, info, warn, error, off };
enum class log_format : std::uint8_t { text, json };

struct log_field {
    std::string_view key;  // a plain word; valid during the call
    std::string value;     // any bytes; escaped where needed
};

// May be called again at any time (reload). An unknown level means info.
void configure_log(std::string_view level, log_format format);
[[nodiscard]] bool log_enabled(log_level level);

void log_event(log_level level, std::string_view event, std::initializer_list<log_field> fields = {});
void log_event(log_level level, std::string_view event, std::span<const log_field> fields);

// Waits until what was logged is written; for the way out of the process.
void flush_log();

// The line without its end, as log_event writes it. Bytes that are not UTF-8 become U+FFFD in JSON and \xNN
// in text, control characters are escaped: a line stays a line whatever a client sends.
[[nodiscard]] std::string format_log_line(log_format format, std::chrono::system_clock::time_point when,
                                          log_level level, std::string_view event,
                                          std::span<const log_field> fields);

// At most `per_second` lines a second and key; what was held back is told with the next line that passes.
// Not thread-safe: each shard has its own. Bounded: forgets all keys when there are too many.
class log_limiter {
public:
    using time_point = std::chrono::steady_clock::time_point;

    struct decision {
        bool pass = false;
        std::uint64_t suppressed = 0;  // since the last line that passed for this key
    };

    explicit log_limiter(std::uint32_t per_second) : per_second_(per_second) {}
    [[nodiscard]] decision admit(std::string_view key, time_point now);

    // log_event if admitted, with suppressed=K added where lines were held back.
    void event(log_level level, std::string_view key, std::string_view event,
               std::span<const log_field> fields, time_point now);
    void event(log_level level, std::string_view key, std::string_view event,
               std::initializer_list<log_field> fields, time_point now);

private:
    struct window {
        time_point since;
        std::uint32_t passed = 0;
        std::uint64_t suppressed = 0;
    };

    std::uint32_t per_second_;
    std::unordered_map<std::string, window> windows_;
};

}  // namespace sidecar
