#pragma once
// Hides the values of arguments whose names sound secret, before anything is shown, logged or exported. The
// message in Redis is never touched.

#include <boost/json/value.hpp>
#include <optional>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

inline constexpr std::string_view masked_text = "***";
inline constexpr std::string_view default_mask = "password|passwd|secret|token|authorization|api_?key|cookie";

class masking {
public:
    // Hides nothing.
    masking() = default;
    // Regular expressions (ECMAScript) that are searched in names, whatever their case. nullopt when one is
    // none, and `error` says which.
    [[nodiscard]] static std::optional<masking> make(std::span<const std::string> patterns,
                                                     std::string& error);

    [[nodiscard]] bool hides(std::string_view name) const;
    // Everywhere below: members, keys of typed maps, and texts in which Python printed arguments.
    void apply(boost::json::value& value) const;
    // "{'user': 'a', 'password': 'b'}", "Login(password='b')": also when the text was cut in the middle.
    [[nodiscard]] std::string apply_to_repr(std::string_view text) const;

private:
    void apply(boost::json::value& value, std::size_t depth) const;

    std::vector<std::regex> patterns_;
};

}  // namespace broker
