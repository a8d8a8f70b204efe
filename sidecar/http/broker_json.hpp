#pragma once
// What the broker's classes found, as JSON.

#include "broker/decode.hpp"
#include "broker/inspector.hpp"
#include "broker/unacked_reader.hpp"
#include "sidecar/http/broker_call.hpp"

namespace sidecar {

enum class body_view : std::uint8_t { head, decoded };

// With `view` head the body stays closed.
[[nodiscard]] json::object message_json(const broker_call& call, std::string_view element, std::uint64_t size,
                                        body_view view);
[[nodiscard]] json::object message_json(const broker_call& call, const broker::listed_message& message,
                                        body_view view);
[[nodiscard]] json::object unacked_json(const broker_call& call, const broker::unacked_item& item,
                                        body_view view);
[[nodiscard]] json::value next_json(const std::optional<std::string>& next);
[[nodiscard]] json::object page_json(json::array items, const std::optional<std::string>& next);

}  // namespace sidecar
