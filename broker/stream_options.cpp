#include "broker/stream_options.hpp"

#include <strings.h>

namespace broker {

bool same_word(std::string_view a, std::string_view b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

stream_options read_stream_options(std::span<const std::string_view> args) {
    stream_options options;
    for (std::size_t i = 1; i + 1 < args.size(); ++i) {
        if (same_word(args[i], "streams")) {
            options.first_key = i + 1;
            options.keys = (args.size() - options.first_key) / 2;
            break;
        }
        if (same_word(args[i], "block")) {
            options.blocks.push_back(++i);
        } else if (same_word(args[i], "count")) {
            ++i;
        } else if (same_word(args[i], "group")) {
            i += 2;
        }
    }
    return options;
}

}  // namespace broker
