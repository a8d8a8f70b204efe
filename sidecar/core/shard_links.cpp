// Which shared links a shard keeps to its upstreams, and how many.
#include <algorithm>

#include "sidecar/core/shard_core.hpp"

namespace sidecar {

namespace {

constexpr std::size_t links_max = 8;                 // of a shard to one upstream, beside the leases
constexpr std::chrono::seconds unused_time_max{10};  // of a link that only some clients need
// Unused for so long, before another link may take its place.
constexpr std::chrono::milliseconds replaceable_time_min{300};

}  // namespace

link& shard_core::shared_link(const link_key& key) {
    for (auto& l : links_)
        if (l->key() == key && !l->retired() && !l->retire_when_idle) return *l;
    if (!make_room(key.upstream, key.lane) && key.lane == link_lane::bulk) {
        link_key main = key;
        main.lane = link_lane::main;
        return shared_link(main);
    }
    links_.push_back(make_link(key));
    return *links_.back();
}

void shard_core::swap_lane(link& busy) {
    const auto lane = busy.key().lane;
    if (lane != link_lane::main) return;
    busy.retire_when_idle = true;
    ++stats.count.lane_swaps;
}

link_role shard_core::default_role() const {
    return settings_->rules.mode() == policy_mode::strict ? link_role::confined : link_role::full;
}

bool shard_core::stands_always(const link& which) const {
    const auto& key = which.key();
    if (key.lane == link_lane::control || key.lane == link_lane::subscription) return true;
    return key.lane == link_lane::main && key.protocol == 2 && key.role == default_role() &&
           key.database < database_count;
}

// False when links_max are in use. A link that stands unused makes room, for a bulk link only another of
// them; for a main link a bulk link goes as soon as it is idle, since its clients can do without.
bool shard_core::make_room(int upstream_index, link_lane lane) {
    std::size_t open = 0;
    link* unused = nullptr;
    link* bulk = nullptr;
    for (auto& l : links_) {
        if (l->key().upstream != upstream_index || l->retired()) continue;
        ++open;
        const bool is_bulk = l->key().lane == link_lane::bulk;
        if (stands_always(*l) || l->retire_when_idle || (lane == link_lane::bulk && !is_bulk)) continue;
        if (is_bulk) bulk = l.get();
        if (!l->idle() || now_ - l->idle_since < replaceable_time_min) continue;
        if (unused == nullptr || l->idle_since < unused->idle_since) unused = l.get();
    }
    if (open < links_max) return true;
    if (unused != nullptr) unused->retire();
    if (unused == nullptr && bulk != nullptr && lane != link_lane::bulk) bulk->retire_when_idle = true;
    return unused != nullptr;
}

// Returns how many connections less than links_max there are: so many idle leases may stay warm.
std::size_t shard_core::retire_unused_links() {
    std::size_t open = 0;
    for (auto& l : links_) {
        if (!l->idle() || l->bytes_out() != l->swept_bytes_out) {
            l->swept_bytes_out = l->bytes_out();
            l->idle_since = now_;
        } else if (!l->retired() && !stands_always(*l) && now_ - l->idle_since > unused_time_max) {
            l->retire();
        }
        if (!l->retired()) ++open;
    }
    return links_max - std::min(links_max, open);
}

}  // namespace sidecar
