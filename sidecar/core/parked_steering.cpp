// parked_call: how a broker's rules shut a call out, cut it short, or keep from it what it popped.
#include "sidecar/core/parked_call.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

namespace {

// A list that is closed now may open: no longer than this is asked without it.
constexpr std::chrono::milliseconds partial_wait_max{1'000};
constexpr std::chrono::milliseconds worth_waiting_min{2};

}  // namespace

bool parked_call::steered() const {
    const bool pops =
        call_.kind == broker::blocking_kind::brpop || call_.kind == broker::blocking_kind::blpop;
    return pops && client_ != nullptr && shard_.watches(key_.database) && !client_->control();
}

// False: all of its lists are closed.
bool parked_call::admit() {
    asked_.reset();
    if (!shard_.gate.closes_queues(key_.database) || !steered()) return true;
    admission given = shard_.gate.admit(key_.database, call_.keys);
    tokens_ = std::move(given.tokens);
    look_again_ = given.look_again;
    if (given.all) return true;
    looks_again_ = true;
    if (given.keys.empty()) return false;
    asked_ = narrowed(call_, given.keys);
    return true;
}

std::optional<std::chrono::milliseconds> parked_call::patience() const {
    const auto left = remaining();
    if (!asked_) return left;
    return left ? std::min(*left, partial_wait_max) : partial_wait_max;
}

void parked_call::give_tokens_back(std::string_view popped_from) {
    if (tokens_.empty()) return;
    shard_.gate.give_back(key_.database, tokens_, popped_from);
    tokens_.clear();
}

void parked_call::shut_out() {
    give_tokens_back({});
    asked_.reset();
    state_ = state::shut;
    // An unblocking that is under way would hit whoever uses the connection next.
    if (unblocks_asked_ > 0) return drop_lease();
    release_lease();
}

bool parked_call::kept_from_client(const std::optional<broker::popped>& what, std::string_view reply,
                                   std::string_view reserved) {
    if (!steered()) return false;
    if (what) {
        const broker_gate::arrival where{key_.database, client_->id(), reserved};
        const auto passed = shard_.gate.pass(where, *what);
        followed_ = passed == broker_gate::passage::followed;
        return passed == broker_gate::passage::kept;
    }
    if (!looks_again_ || reply != broker::timeout_reply(call_, key_.protocol)) return false;
    return !deadline_ || *deadline_ - shard_.now() > worth_waiting_min;
}

// It is not over yet: asked again for the time that remains.
void parked_call::go_on() {
    if (deadline_ && shard_.now() >= *deadline_) {
        tell(std::string(broker::timeout_reply(call_, key_.protocol)));
        if (unblocks_asked_ == 0) release_lease();
        return;
    }
    if (lease_ != nullptr) return issue(*lease_);
    state_ = state::waiting;
    start();
}

void parked_call::on_rules() {
    if (!steered()) return;
    look_again_ = shard_.now();
    if (state_ != state::on_lease || lease_ == nullptr || !lease_->ready()) return;
    if (!asked_ && !shard_.gate.closes_queues(key_.database)) return;
    looks_again_ = true;
    ask_unblock(unblock_as::timeout);
}

}  // namespace sidecar
