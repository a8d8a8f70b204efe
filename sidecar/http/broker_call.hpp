#pragma once
// One request about a broker: which broker it speaks of, what it asks, and the ways to answer. What a client
// sent wrongly is thrown as an api_refusal, which the route turns into a problem document.

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "broker/broker_layout.hpp"
#include "sidecar/control/broker_control.hpp"
#include "sidecar/http/routes.hpp"

namespace sidecar {

namespace json = boost::json;

struct api_refusal {
    unsigned status = 400;
    std::string detail;
    json::object more{};  // further members of the problem document
};

class broker_call {
public:
    broker_call(broker_control& control, const route_call& call);

    [[nodiscard]] broker_control& control() const { return control_; }
    [[nodiscard]] broker_desk& desk() const { return *desk_; }
    [[nodiscard]] const broker::broker_layout& layout() const { return layout_; }
    [[nodiscard]] broker::broker_id id() const {
        return {static_cast<std::uint8_t>(desk_->db), layout_.prefix};
    }

    [[nodiscard]] const std::string& path(std::size_t index) const { return call_.parameters[index]; }
    [[nodiscard]] std::optional<std::string> query(std::string_view name) const;
    [[nodiscard]] std::int64_t number(std::string_view name, std::int64_t usual, std::int64_t min,
                                      std::int64_t max) const;
    [[nodiscard]] bool flag(std::string_view name, bool usual) const;
    // The JSON object that was sent; an empty one where nothing was.
    [[nodiscard]] const json::object& body() const { return body_; }
    [[nodiscard]] std::string text_of(std::string_view name) const;  // of the body; empty when absent
    [[nodiscard]] std::optional<std::int64_t> number_of(std::string_view name) const;
    [[nodiscard]] bool flag_of(std::string_view name) const;
    // For the audit: "operator 10.0.0.7:4711".
    [[nodiscard]] std::string by() const;
    [[nodiscard]] const http_request& request() const { return call_.request; }

    // Every queue known of this broker.
    [[nodiscard]] std::vector<std::string> queues() const;
    // Refuses with 404 unless there is such a queue.
    [[nodiscard]] const std::string& known_queue(std::size_t index) const;

private:
    void choose_broker();
    void read_body();

    broker_control& control_;
    const route_call& call_;
    std::vector<std::pair<std::string, std::string>> query_;
    json::object body_;
    broker_desk* desk_ = nullptr;
    broker::broker_layout layout_;
};

// Text of whatever bytes as a JSON string: what is not UTF-8 becomes U+FFFD.
[[nodiscard]] json::string json_text(std::string_view bytes);
[[nodiscard]] http_response json_response(const json::value& body, unsigned status = 200);
[[nodiscard]] http_response problem_response(const api_refusal& refusal);

}  // namespace sidecar
