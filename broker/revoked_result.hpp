#pragma once
// What Celery's Redis backend would keep of a task that a worker had found revoked. Whoever waits for the
// result of a message that no worker ever sees would wait for ever without it.

#include <cstdint>
#include <optional>
#include <string>

#include "broker/envelope.hpp"

namespace broker {

struct stored_result {
    std::string key;    // and the channel it is told on
    std::string value;  // in the serializer of the message, which is the application's for results, too
};

// nullopt when nobody keeps a result of it (ignore_result), it is no task, or its serializer is not known.
[[nodiscard]] std::optional<stored_result> revoked_result(const message_head& head, std::int64_t unix_us);

}  // namespace broker
