// Queues and what waits in them.

#include "sidecar/http/broker_call.hpp"
#include "sidecar/http/broker_json.hpp"
#include "sidecar/http/broker_routes.hpp"

namespace sidecar {

namespace {

constexpr std::string_view limit_schema = R"({"type":"integer","minimum":1,"maximum":500,"default":50})";

http_response list_queues(const broker_call& call) {
    const auto names = call.queues();
    const auto depths = call.desk().inspector.depths(call.layout(), names);
    json::array items;
    for (std::size_t i = 0; i < names.size(); ++i) {
        json::object item;
        item["name"] = json_text(names[i]);
        item["broker"] = json_text(call.layout().prefix);
        item["db"] = call.desk().db;
        std::uint64_t ready = 0;
        json::object by_priority;
        for (std::size_t step = 0; step < depths[i].size(); ++step) {
            ready += depths[i][step];
            by_priority[std::to_string(call.layout().steps[step])] = depths[i][step];
        }
        item["ready"] = ready;
        item["by_priority"] = std::move(by_priority);
        items.push_back(std::move(item));
    }
    return json_response(json::object{{"items", std::move(items)}, {"next", nullptr}});
}

http_response list_messages(const broker_call& call) {
    const std::string& queue = call.known_queue(0);
    std::optional<broker::page_cursor> after;
    if (const auto text = call.query("cursor"); text && !text->empty()) {
        after = broker::page_cursor::parse(*text);
        if (!after) throw api_refusal{400, "cursor must be the `next` of an earlier page"};
    }
    const std::string order = call.query("order").value_or("next");
    if (order != "next" && order != "newest") throw api_refusal{400, "order must be next or newest"};
    const auto from = order == "next" ? broker::list_end::right : broker::list_end::left;
    const auto limit = static_cast<std::size_t>(call.number("limit", 50, 1, 500));
    const auto page = call.desk().inspector.page(call.layout(), queue, from, after, limit);
    if (!page.error.empty()) throw api_refusal{503, "Redis: " + page.error};
    json::array items;
    const bool decode = call.flag("decode", true);
    for (const auto& message : page.items) items.push_back(message_json(call, message, decode));
    json::object body{{"items", std::move(items)}};
    body["next"] = page.next ? json::value(json_text(page.next->text())) : json::value(nullptr);
    body["left_meanwhile"] = page.left_meanwhile;
    body["exact"] = page.exact;
    return json_response(body);
}

}  // namespace

void add_queue_routes(http_routes& routes, broker_control& control) {
    routes.add(broker_route(control, "GET", "/api/v1/queues", "Queues with what waits in them", "Queues",
                            list_queues));
    routes.add(broker_route(
        control, "GET", "/api/v1/queues/{name}/messages",
        "What waits in a queue, without consuming it; first what runs next", "Messages", list_messages,
        {{"cursor", R"({"type":"string"})", "`next` of the page before"},
         {"limit", limit_schema, "Messages at most"},
         {"order", R"({"type":"string","enum":["next","newest"]})", "Which end to begin at"},
         {"decode", R"({"type":"boolean"})", "false: leave bodies undecoded"}}));
}

}  // namespace sidecar
