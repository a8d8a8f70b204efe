#pragma once
// Something that carries messages from publishers to many receivers, and one step of load through it.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/load/fanout_book.hpp"
#include "bench/load/fanout_schedule.hpp"
#include "bench/load/histogram.hpp"

namespace bench {

enum class target_kind : std::uint8_t { pubsub, native, layer_core, layer_pubsub, layer_bare, layer_native };

struct target_settings {
    std::string name;  // in the report
    target_kind kind = target_kind::pubsub;
    std::string host = "127.0.0.1";
    std::uint16_t port = 6379;
    int database = 1;
    std::string password;
    std::uint32_t members = 100;   // receivers: connections of pubsub, channels of the others
    std::uint32_t processes = 10;  // that the members are spread over; pubsub has a process a member
    std::string python = "python3";
    std::string worker;  // path of fanout_worker.py
};

struct step_result {
    std::uint64_t sent = 0;  // messages
    std::uint64_t delivered = 0;
    std::uint64_t expected = 0;
    double seconds = 0;  // from the first message due to the last delivery
    delivery_faults faults;
    histogram latency;              // of every delivery, since the message was due
    histogram last;                 // until the last receiver had a message
    histogram lateness;             // how late the sender itself was
    std::uint64_t load_cpu_ns = 0;  // of the processes that make the load
};

class fanout_target {
public:
    fanout_target() = default;
    virtual ~fanout_target() = default;
    fanout_target(const fanout_target&) = delete;
    fanout_target& operator=(const fanout_target&) = delete;
    // Returns when every receiver is there.
    virtual void open() = 0;
    virtual step_result run(const step_plan& plan) = 0;
};

[[nodiscard]] std::unique_ptr<fanout_target> make_pubsub_target(const target_settings& settings);
[[nodiscard]] std::unique_ptr<fanout_target> make_native_target(const target_settings& settings);
[[nodiscard]] std::unique_ptr<fanout_target> make_worker_target(const target_settings& settings);

}  // namespace bench
