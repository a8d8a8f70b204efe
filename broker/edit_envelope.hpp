#pragma once
// Changes to a message that leave every other byte of it as it was: the body above all, and numbers and texts
// that another JSON writer would spell differently.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace broker {

struct envelope_edit {
    std::optional<std::string> tag;          // a new one whenever the message may run twice
    std::optional<std::string> exchange;     // delivery_info: where a restore sends it back to
    std::optional<std::string> routing_key;  //
    std::optional<std::int64_t> priority;
    std::optional<bool> redelivered;  // of headers and delivery_info
    // Headers by name: id, task, eta, retries, … Null is what kombu takes for absent.
    std::vector<std::pair<std::string, boost::json::value>> headers;
};

// nullopt when `element` is not kombu's, or its headers or properties are not JSON throughout.
[[nodiscard]] std::optional<std::string> edit_envelope(std::string_view element, const envelope_edit& edit);

// Another body for a task of protocol 2, as JSON whatever it was before; argsrepr and kwargsrepr follow.
// `embed` null keeps none of callbacks, chain and chord. nullopt when it is no such task, or a value is of a
// type that kombu's JSON cannot carry; a typed tuple becomes a list.
struct new_call {
    boost::json::array args;
    boost::json::object kwargs;
    boost::json::value embed;
};
[[nodiscard]] std::optional<std::string> replace_call(std::string_view element, const new_call& call);

}  // namespace broker
