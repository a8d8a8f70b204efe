#pragma once
// What the broker's classes found, as JSON.

#include "broker/inspector.hpp"
#include "sidecar/http/broker_call.hpp"

namespace sidecar {

[[nodiscard]] json::object message_json(const broker_call& call, const broker::listed_message& message,
                                        bool decode);

}  // namespace sidecar
