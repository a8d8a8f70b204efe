#pragma once
// The routes about brokers, /api/v1/queues and what belongs to it. They run on the control thread.

#include <functional>

#include "sidecar/http/routes.hpp"

namespace sidecar {

class broker_call;
class broker_control;

void add_broker_routes(http_routes& routes, broker_control& control);

// For the files that make up the table.
using broker_handler = http_response (*)(const broker_call&);
[[nodiscard]] route broker_route(broker_control& control, std::string_view method, std::string_view path,
                                 std::string_view summary, std::string_view schema, broker_handler handler,
                                 std::vector<route_field> query = {}, std::string_view body = {});
void add_queue_routes(http_routes& routes, broker_control& control);
void add_queue_change_routes(http_routes& routes, broker_control& control);
void add_message_routes(http_routes& routes, broker_control& control);
void add_record_routes(http_routes& routes, broker_control& control);
void add_task_routes(http_routes& routes, broker_control& control);
void add_worker_routes(http_routes& routes, broker_control& control);

}  // namespace sidecar
