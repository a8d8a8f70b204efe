#pragma once
// What decoded bodies are made of: JSON, in which values that JSON has no form for are written as kombu's own
// JSON writes them: {"__type__": "datetime", "__value__": "2026-11-22T12:00:00"}. Beyond kombu's types
// (datetime, date, time, decimal, uuid, bytes, base64) the decoders of other formats use
//   tuple, set, frozenset   a list of items, where the difference matters (a key, a nested value of pickle)
//   int, float              digits of what no JSON number holds: 2**80, nan, inf
//   map                     [[key, value] …] of a dictionary whose keys are not all texts
//   timedelta               seconds
//   object                  {"class": "module.name", "args": […], "state": …}: what pickle would have called
//                           or built, members only where there are any; shown, never done
//   cycle                   the value contains itself here
//   ext                     msgpack's extension types: [code, base64]
//
// A budget bounds what one message may unfold to, whatever its bytes claim.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace broker {

struct value_limits {
    std::size_t depth_max = 64;
    std::size_t nodes_max = 50'000;
    std::size_t text_bytes_max = std::size_t{64} << 10;  // of one text; longer ones are cut and say so
    std::size_t texts_bytes_max = std::size_t{4} << 20;  // of all
};

// Either a value or why there is none. `cut` tells that texts in it were shortened.
struct decoded_value {
    boost::json::value value;
    std::string error;
    bool cut = false;

    [[nodiscard]] bool ok() const { return error.empty(); }
};

class value_budget {
public:
    explicit value_budget(const value_limits& limits) : limits_(limits) {}

    // False when one value more is too many.
    [[nodiscard]] bool take() { return ++nodes_ <= limits_.nodes_max && bytes_ <= limits_.texts_bytes_max; }
    [[nodiscard]] std::size_t depth_max() const { return limits_.depth_max; }
    [[nodiscard]] bool cut() const { return cut_; }
    // As valid UTF-8 (what is not becomes U+FFFD), cut to the limit.
    [[nodiscard]] boost::json::string text(std::string_view bytes);
    // Bytes as kombu writes them: type bytes when they are UTF-8, else base64.
    [[nodiscard]] boost::json::value bytes(std::string_view bytes);

private:
    std::string_view shortened(std::string_view bytes, std::size_t max_bytes);

    value_limits limits_;
    std::size_t nodes_ = 0;
    std::size_t bytes_ = 0;
    bool cut_ = false;
};

[[nodiscard]] boost::json::value typed(std::string_view type, boost::json::value value);
[[nodiscard]] boost::json::value object_value(boost::json::string name, boost::json::array args);
// A float that JSON can hold as itself, else typed.
[[nodiscard]] boost::json::value number(double value);
// The content of a typed value and its type; nullptr when it is a plain value.
[[nodiscard]] const boost::json::value* typed_content(const boost::json::value& value,
                                                      std::string_view& type);

[[nodiscard]] bool is_utf8(std::string_view text);

// As Python would print it: (1, 'a', datetime.datetime…). At most `bytes_max`, then "…".
[[nodiscard]] std::string python_repr(const boost::json::value& value, std::size_t bytes_max);

}  // namespace broker
