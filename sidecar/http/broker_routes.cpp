#include "sidecar/http/broker_routes.hpp"

#include "sidecar/http/broker_call.hpp"

namespace sidecar {

route broker_route(broker_control& control, std::string_view method, std::string_view path,
                   std::string_view summary, std::string_view schema, broker_handler handler,
                   std::vector<route_field> query, std::string_view body) {
    route entry;
    entry.method = method;
    entry.path = path;
    entry.access = method == "GET" ? route_access::read : route_access::change;
    entry.summary = summary;
    entry.media_type = schema.empty() ? "application/octet-stream" : "application/json";
    entry.schema = schema;
    entry.place = route_place::control;
    entry.query = std::move(query);
    entry.query.push_back({"db", R"({"type":"integer","minimum":0,"maximum":15})", "The broker's db"});
    entry.query.push_back(
        {"broker", R"({"type":"string"})", "Its global_keyprefix, where there are several in a db"});
    entry.body = body;
    entry.handle = [&control, handler](const route_call& call) {
        try {
            return handler(broker_call(control, call));
        } catch (const api_refusal& refusal) {
            return problem_response(refusal);
        }
    };
    return entry;
}

void add_broker_routes(http_routes& routes, broker_control& control) {
    add_queue_routes(routes, control);
    add_queue_change_routes(routes, control);
    add_message_routes(routes, control);
    add_record_routes(routes, control);
    add_task_routes(routes, control);
    add_worker_routes(routes, control);
}

}  // namespace sidecar
