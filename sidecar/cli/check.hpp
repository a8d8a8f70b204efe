#pragma once
// `sidecar check`: one small conversation with every db, as a client would have it.

#include <chrono>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/config/load.hpp"

namespace sidecar {

struct check_options {
    redis_url url;
    std::vector<int> databases{0, 1, 2};
    std::chrono::milliseconds timeout{5'000};  // of each step
    std::string ca_file;                       // for rediss://; empty = the system's authorities
};

struct check_report {
    bool good = true;
    std::string text;  // a line for each db, passwords masked
};

[[nodiscard]] std::variant<check_options, config_error> read_check_options(std::span<const std::string> args,
                                                                           const environment& get);
[[nodiscard]] check_report check_databases(const check_options& options);
[[nodiscard]] std::string check_help();

}  // namespace sidecar
