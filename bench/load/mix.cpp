#include "bench/load/mix.hpp"

#include <cstdio>
#include <cstdlib>

namespace bench {

std::size_t mix::greet(std::size_t /*client*/, std::string& /*out*/) {
    return 0;
}

void mix::on_reply(std::size_t /*client*/, std::string_view reply) {
    if (reply.front() == '-') fail(reply.substr(0, reply.find('\r')));
}

void fail(std::string_view what) {
    std::fprintf(stderr, "sidecar-bench: %.*s\n", static_cast<int>(what.size()), what.data());
    std::exit(1);
}

}  // namespace bench
