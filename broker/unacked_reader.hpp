#pragma once
// Reads the hash of unacknowledged messages, the oldest first, a bounded piece at a time. A message is
// measured before it is fetched: a worker's 200 MB message stays where it is.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker_layout.hpp"
#include "broker/redis_port.hpp"

namespace broker {

struct unacked_item {
    std::string tag;
    double taken_at = 0;  // the worker's clock
    std::uint64_t size = 0;
    std::string value;  // exact bytes; empty when too large to be fetched along
};

struct unacked_page {
    std::vector<unacked_item> items;
    std::optional<std::string> next;
    std::string error;
};

class unacked_reader {
public:
    explicit unacked_reader(redis_port& redis) : redis_(redis) {}

    [[nodiscard]] std::uint64_t count(const broker_layout& layout);
    [[nodiscard]] unacked_page page(const broker_layout& layout, std::string_view cursor, std::size_t limit);
    [[nodiscard]] std::optional<unacked_item> find(const broker_layout& layout, const std::string& tag);

private:
    redis_port& redis_;
};

}  // namespace broker
