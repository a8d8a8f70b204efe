#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace sidecar {

struct command_row {
    std::string_view name;
    std::int16_t arity;
    std::uint32_t flags;
    std::int16_t first_key, last_key, key_step;
};

// Top-level commands come before their subcommands ("config", then "config|get").
[[nodiscard]] std::span<const command_row> command_rows();

}  // namespace sidecar
