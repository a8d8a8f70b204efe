#pragma once
// The micro-benchmarks. Each is a piece of work that is repeated: Google Benchmark times it, callgrind counts
// its instructions.

#include <functional>
#include <string>
#include <vector>

namespace bench {

struct micro_case {
    std::string name;                                // "folder/what"; the key in the baseline
    std::size_t commands;                            // commands, replies or deliveries of one repetition
    std::function<std::function<void()>()> prepare;  // makes the state and returns the repetition
};

// One function for each source file of cases.
void add_command_scanner_cases(std::vector<micro_case>& cases);
void add_reply_scanner_cases(std::vector<micro_case>& cases);
void add_subscription_table_cases(std::vector<micro_case>& cases);
void add_upstream_queue_cases(std::vector<micro_case>& cases);
void add_session_cases(std::vector<micro_case>& cases);
void add_broker_cases(std::vector<micro_case>& cases);
void add_fan_out_cases(std::vector<micro_case>& cases);

[[nodiscard]] std::vector<micro_case> all_cases();

// Work whose result nobody uses must not be optimised away.
template <class T>
void keep(const T& value) {
    asm volatile("" : : "r,m"(value) : "memory");
}

}  // namespace bench
