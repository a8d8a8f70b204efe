#pragma once
// Where workers have sockets at the other sidecars on the same Redis, as these tell (peer_board). A worker
// may have some of its sockets here and some there: only when all are gone has it gone.

#include <compare>
#include <set>
#include <string>
#include <string_view>

namespace broker {

struct worker_place {
    std::string host;
    std::string node;  // empty: it has not told its name

    auto operator<=>(const worker_place&) const = default;
};

struct elsewhere {
    std::string machine;            // this one: an address that only counts here stands for it
    bool others = false;            // there are other sidecars
    bool incomplete = false;        // one of them has more workers than it tells
    std::set<worker_place> places;  // hosts by shared_host

    // Whether it may be one of them. Who has not told its name may be any on its host.
    [[nodiscard]] bool holds(std::string_view host, std::string_view node) const;
};

// A loopback address or a unix socket means another machine at each sidecar: its machine stands for it.
[[nodiscard]] std::string shared_host(std::string_view host, std::string_view machine);

}  // namespace broker
