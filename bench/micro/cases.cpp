#include "bench/micro/cases.hpp"

namespace bench {

std::vector<micro_case> all_cases() {
    std::vector<micro_case> cases;
    add_command_scanner_cases(cases);
    add_reply_scanner_cases(cases);
    add_subscription_table_cases(cases);
    add_upstream_queue_cases(cases);
    add_session_cases(cases);
    add_broker_cases(cases);
    add_fan_out_cases(cases);
    return cases;
}

}  // namespace bench
