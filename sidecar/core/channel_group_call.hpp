#pragma once
// A group message under way.

#include <functional>
#include <vector>

#include "sidecar/core/channel_service.hpp"

namespace sidecar {

// Other shards read the wish only; the rest belongs to the shard of the caller.
struct channel_service::group_call {
    channel_caller who;
    shared_agreement by;
    group_wish wish;
    channels::group_tally local;
    group_answer remote;
    bool answered = false;  // by Redis
    std::vector<std::function<void(const group_call&)>> then;
    int waiting = 0;
};

}  // namespace sidecar
