#pragma once
// Who got what. A receiver's log tells what is lost, doubled or out of order by publisher and number; the
// board of all messages tells when the last receiver had each.

#include <chrono>
#include <cstdint>
#include <set>
#include <vector>

#include "bench/load/fanout_stamp.hpp"
#include "bench/load/histogram.hpp"

namespace bench {

struct delivery_faults {
    std::uint64_t lost = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t reordered = 0;  // came behind one that was sent later
    std::uint64_t strays = 0;     // of no publisher of this step

    void operator+=(const delivery_faults& more);
    [[nodiscard]] bool any() const { return lost + duplicated + reordered + strays > 0; }
};

// Publishers of a step have the numbers from first on, so that what comes late from another step
// is seen as such.
struct publisher_range {
    std::uint32_t first = 0;
    std::uint32_t count = 1;
    [[nodiscard]] bool holds(std::uint32_t publisher) const { return publisher - first < count; }
};

class receiver_log {
public:
    explicit receiver_log(publisher_range from) : from_(from), seen_(from.count) {}
    // True when the message is new.
    bool note(std::uint32_t publisher, std::uint32_t seq);
    // After the step: `sent` tells how many each publisher has sent.
    [[nodiscard]] delivery_faults faults(const std::vector<std::uint32_t>& sent) const;

private:
    struct progress {
        std::uint32_t next = 0;
        std::set<std::uint32_t> missing;  // below next
    };
    publisher_range from_;
    std::vector<progress> seen_;
    delivery_faults faults_;
};

class message_board {
public:
    message_board(publisher_range from, std::uint64_t receivers)
        : from_(from), receivers_(receivers), messages_(from.count) {}
    // `receivers` more have the message, the last of them `latency` after it was due.
    void note(const stamp& which, std::uint64_t receivers, std::chrono::nanoseconds latency);
    [[nodiscard]] std::uint64_t deliveries() const { return deliveries_; }
    [[nodiscard]] std::uint64_t complete() const { return last_.count(); }  // messages that everybody has
    [[nodiscard]] const histogram& last() const { return last_; }           // when the last receiver had it

private:
    struct message {
        std::uint64_t receivers = 0;
        std::chrono::nanoseconds latest{0};
    };
    publisher_range from_;
    std::uint64_t receivers_;
    std::vector<std::vector<message>> messages_;
    std::uint64_t deliveries_ = 0;
    histogram last_;
};

}  // namespace bench
