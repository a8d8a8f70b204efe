#pragma once
// What the sidecar must remember of a client's MULTI … EXEC: which of its elements are not Redis's to answer.
//
// A connection command inside MULTI (CLIENT SETNAME, SELECT of the own db …) goes upstream as a placeholder,
// `ECHO`, so that EXEC's array keeps its length; when EXEC ran, its element is replaced by the local answer,
// and only then does the command take effect. A PUBLISH keeps its place too, but its receiver count is
// corrected.

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "channels/subscription_table.hpp"
#include "sidecar/core/command_table.hpp"

namespace sidecar {

// A transaction that stands complete in a client's input, MULTI and EXEC included.
struct whole_transaction {
    struct part {
        const command_spec* spec;
        std::string_view bytes;       // in the client's input
        std::string_view publish_to;  // of a PUBLISH
        channels::name_kind kind{};
        bool is_observed = false;  // it tells something of a broker's traffic
    };
    std::vector<part> parts;
    std::size_t bytes = 0;
    bool publishes = false;
    bool repeatable = false;   // running it twice leaves the same state
    bool is_observed = false;  // some of its commands are
    // Where the first command that may note a delivery begins, counted from behind MULTI.
    std::size_t delivers_at = std::string_view::npos;
    std::deque<std::string> diverted;  // commands that go upstream with another key

    [[nodiscard]] std::size_t bytes_behind_multi() const { return bytes - parts.front().bytes.size(); }
    void clear() {
        constexpr std::size_t kept_parts_max = 4'096;
        if (parts.capacity() > kept_parts_max) parts = {};
        parts.clear();
        bytes = 0;
        publishes = repeatable = is_observed = false;
        delivers_at = std::string_view::npos;
        diverted.clear();
    }
};

class transaction {
public:
    // A command was put into the transaction; call once for each, in order.
    void queued() { ++count_; }
    void queued_placeholder(std::vector<std::string> local_command);
    void queued_publish(channels::name_kind kind, std::string channel);

    [[nodiscard]] bool publishes() const;
    [[nodiscard]] bool untouched() const { return rewrites_.empty(); }
    [[nodiscard]] std::size_t size() const { return count_; }

    struct rewriter {
        std::function<std::string(const std::vector<std::string>&)> run_local;  // → reply bytes
        std::function<std::string(channels::name_kind, std::string_view channel, std::string_view reply)>
            correct_publish;
    };
    // EXEC's reply with its elements replaced; anything but an array of the expected length (nil, EXECABORT)
    // is returned unchanged and runs nothing.
    [[nodiscard]] std::string rewrite(std::string_view exec_reply, const rewriter& with) const;

private:
    struct rewritten {
        std::size_t index;
        std::vector<std::string> local_command;  // empty for a publish
        channels::name_kind kind{};
        std::string channel;
    };
    std::size_t count_ = 0;
    std::vector<rewritten> rewrites_;
};

}  // namespace sidecar
