#include "broker/elsewhere.hpp"

#include <algorithm>

namespace broker {

std::string shared_host(std::string_view host, std::string_view machine) {
    const bool local = host.empty() || host.starts_with("127.") || host == "::1" || host == "[::1]" ||
                       host.starts_with("unix") || host.find('/') != std::string_view::npos;
    return local ? "local@" + std::string(machine) : std::string(host);
}

bool elsewhere::holds(std::string_view host, std::string_view node) const {
    if (!others) return false;
    if (incomplete) return true;
    const std::string shared = shared_host(host, machine);
    return std::any_of(places.begin(), places.end(), [&](const worker_place& each) {
        const bool same_node = each.node.empty() || node.empty() || each.node == node;
        return each.host == shared && same_node;
    });
}

}  // namespace broker
