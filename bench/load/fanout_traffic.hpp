#pragma once
// What a Redis has read and written in all, as its INFO tells.

#include <cstdint>
#include <string>

#include "bench/load/fanout_wires.hpp"

namespace bench {

class traffic_meter {
public:
    traffic_meter(const std::string& host, std::uint16_t port, const std::string& password);
    // Of all other connections, in both directions.
    [[nodiscard]] std::uint64_t bytes();

private:
    std::string ask(const std::string& command);

    wires wires_;
    std::uint64_t own_ = 0;
};

}  // namespace bench
