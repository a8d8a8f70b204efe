#pragma once
// The control plane of a sidecar over HTTP, one call at a time, each on a connection of its own.

#include <boost/json/value.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sidecar {

// Ends a command: its status and, where there is something to say, a line for stderr.
class command_failure : public std::runtime_error {
public:
    command_failure(int status, const std::string& line) : std::runtime_error(line), status_(status) {}
    [[nodiscard]] int status() const { return status_; }

private:
    int status_;
};

struct api_target {
    bool tls = false;
    std::string host;
    std::string port;
    std::string prefix;  // "/sidecar" of http://proxy/sidecar; without a slash at its end
    std::string token;
    std::string ca_file;  // for https; empty = the system's authorities
    std::chrono::milliseconds timeout{30'000};
    std::string query;  // of every call: "broker=shop&db=2"
};

// "http://host:port/prefix"; the text says what is wrong with it.
[[nodiscard]] std::optional<std::string> read_api_url(std::string_view url, api_target& target);

// The text as a segment of a path or a value of a query.
[[nodiscard]] std::string percent_encoded(std::string_view text);

struct api_answer {
    unsigned status = 0;
    boost::json::value body;  // null where the answer was not JSON
    std::string text;

    [[nodiscard]] bool good() const { return status >= 200 && status < 300; }
};

struct server_event {
    std::string name;
    std::string data;
};

enum class stream_step { go_on, enough };

class api_client {
public:
    explicit api_client(api_target target) : target_(std::move(target)) {}

    // `path` begins behind /api/v1. These two fail with a command_failure unless the answer is good.
    [[nodiscard]] boost::json::value get(const std::string& path) const;
    [[nodiscard]] boost::json::value post(const std::string& path, const boost::json::value& body) const;
    // The answer whatever its status; fails only where there is none.
    [[nodiscard]] api_answer call(std::string_view method, const std::string& path,
                                  const std::optional<boost::json::value>& body) const;

    // Server-sent events until `on_event` has enough; returns when the server ends the stream.
    void stream(const std::string& path,
                const std::function<stream_step(const server_event&)>& on_event) const;

    [[nodiscard]] const api_target& target() const { return target_; }

private:
    [[nodiscard]] std::string path_of(const std::string& path) const;

    api_target target_;
};

// What an answer that is not good means for the command.
[[nodiscard]] command_failure failure_of(const api_answer& answer);

}  // namespace sidecar
