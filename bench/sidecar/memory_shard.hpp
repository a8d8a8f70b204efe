#pragma once
// A shard without sockets whose upstream answers from a prepared text, so that what is measured is the core
// and nothing else. A turn goes as in the I/O layer: clients' bytes, links written, replies in, clients
// written.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"

namespace bench {

class memory_shard final : sidecar::client_io {
public:
    // As shipped: the strict policy.
    explicit memory_shard(const sidecar::config& settings = {});
    ~memory_shard();
    memory_shard(const memory_shard&) = delete;
    memory_shard& operator=(const memory_shard&) = delete;

    [[nodiscard]] bool peer_has_ended() const override { return false; }

    // Opens clients and runs what each says first, with upstream's answers found by name.
    void open_clients(std::size_t count, std::string_view greeting);

    // Each client sends `command`; every link that was written is answered `reply` once for each client.
    void turn(std::string_view command, std::string_view reply);
    // Upstream publishes: `frame` arrives on the link that carries the subscriptions.
    void publish(std::string_view frame);

    [[nodiscard]] std::uint64_t bytes_out() const { return bytes_out_; }
    [[nodiscard]] const sidecar::counters& count() const { return core_.stats.count; }

private:
    void write_links();
    void write_clients();
    void settle();

    // One upstream connection while clients are opened; later its commands are not looked at.
    struct wire {
        std::string input;
        int subscriptions = 0;
    };
    [[nodiscard]] static std::string answer_all(wire& connection);

    std::shared_ptr<const sidecar::runtime> settings_;
    sidecar::process_state process_;
    std::vector<sidecar::process_state::message> posted_;
    sidecar::time_point now_{std::chrono::seconds(1000)};
    sidecar::shard_core core_;
    std::vector<sidecar::session*> clients_;
    std::map<sidecar::link*, wire> wires_;
    std::vector<sidecar::link*> written_;  // in this turn
    std::string replies_;
    bool settling_ = false;
    std::uint64_t bytes_out_ = 0;
};

}  // namespace bench
