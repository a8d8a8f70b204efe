#include "sidecar/http/broker_json.hpp"

namespace sidecar {

json::object message_json(const broker_call&, const broker::listed_message& message, bool) {
    json::object item;
    item["tag"] = json_text(message.tag);
    item["queue"] = json_text(message.queue);
    item["priority"] = message.step;
    item["position"] = message.position;
    item["size"] = message.element.size();
    return item;
}

}  // namespace sidecar
