#include "sidecar/http/counters.hpp"

#include <string_view>

namespace sidecar {
namespace {

void append(std::string& text, std::string_view name, std::string_view type, std::string_view help,
            std::uint64_t value) {
    text += "# HELP " + std::string(name) + " " + std::string(help) + "\n# TYPE " + std::string(name) + " " +
            std::string(type) + "\n" + std::string(name) + " " + std::to_string(value) + "\n";
}

}  // namespace

std::string http_counters::text() const {
    std::string text =
        "# HELP sidecar_http_responses_total Answers of the control plane by status.\n"
        "# TYPE sidecar_http_responses_total counter\n";
    for (const auto& [status, count] : responses)
        text += "sidecar_http_responses_total{code=\"" + std::to_string(status) + "\"} " +
                std::to_string(count) + "\n";
    append(text, "sidecar_http_connections", "gauge", "Open connections to the control plane.", connections);
    append(text, "sidecar_http_connections_refused_total", "counter", "Connections beyond the limit.",
           connections_refused);
    append(text, "sidecar_http_timeouts_total", "counter", "Requests that did not arrive in time.", timeouts);
    return text;
}

}  // namespace sidecar
