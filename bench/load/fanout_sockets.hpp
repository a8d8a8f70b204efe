#pragma once
// What the targets that speak RESP themselves have in common: one thread sends what is due and reads what
// arrives.

#include <optional>
#include <string>
#include <vector>

#include "bench/load/fanout_target.hpp"
#include "bench/load/fanout_wires.hpp"
#include "resp/reply_scanner.hpp"

namespace bench {

class socket_target : public fanout_target {
public:
    explicit socket_target(target_settings settings) : settings_(std::move(settings)) {}
    step_result run(const step_plan& plan) final;

protected:
    // Appends the command that sends the payload to everybody.
    virtual void append_publish(std::string& out, std::string_view payload) = 0;
    // Bytes of a receiving connection; returns how many were used; calls arrived() for each message.
    virtual std::size_t on_bytes(std::size_t wire, std::string_view bytes) = 0;
    // How many logs there are, and how many members share each.
    [[nodiscard]] virtual std::vector<std::uint32_t> members_by_log() const = 0;

    void arrived(std::size_t log, std::string_view payload);
    // Sends and waits for so many replies; an error ends the tester. Not while a step runs.
    std::string ask(std::size_t wire, std::string_view commands, std::size_t replies);
    std::size_t open_wire();
    void open_publisher() { publisher_ = open_wire(); }
    [[nodiscard]] wires& net() { return wires_; }
    [[nodiscard]] const target_settings& settings() const { return settings_; }

private:
    struct step {
        step(const step_plan& asked, publisher_range from, const std::vector<std::uint32_t>& members);
        step_plan plan;
        publisher_range publishers;
        schedule times;
        message_board board;
        std::vector<receiver_log> logs;
        std::vector<std::uint32_t> members;
        std::vector<std::uint32_t> sent;  // by publisher
        std::uint64_t receivers = 0;
        std::int64_t begin_ns = 0;
        std::int64_t latest_ns = 0;
        step_result result;
    };
    void publish_due(step& now);
    void publish_batch(step& now, std::int64_t due_ns);
    std::size_t read_publisher(std::string_view bytes);
    void finish(step& done);

    target_settings settings_;
    wires wires_;
    std::size_t publisher_ = 0;
    std::string batch_;
    resp::reply_scanner answers_;
    step* step_ = nullptr;
    std::int64_t read_at_ns_ = 0;
};

[[nodiscard]] std::int64_t monotonic_ns();

}  // namespace bench
