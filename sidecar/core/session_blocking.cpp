// Blocking commands: parked outside the session until they are answered; and what becomes of all that a
// session holds elsewhere when its client goes.
#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"

namespace sidecar {

session::step session::blocking_command(const command& c) {
    broker::blocking_call call;
    switch (broker::parse_blocking(c.args, call)) {
        case broker::blocking_parse::not_blocking:
            return forward(c);
        // Redis answers an error at once; but should it see a valid call where we do not, it blocks nobody
        // else.
        case broker::blocking_parse::invalid:
            return with_lease(c, role(), true);
        case broker::blocking_parse::blocking:
            break;
    }
    if (ended_) return entries_ > 0 ? wait_for(stall::drain) : end_instead();
    // What is watched or tracked is bound to the connection, so the call runs there too.
    if (lease_ != nullptr && !lease_ends_) {
        const step result = forward_on(*lease_, c, reply_use::sticky);
        if (result == step::consumed && entries_ > 0) {
            stall_ = stall::drain;
            blocks_on_lease_ = true;
        }
        return result;
    }
    if (entries_ > 0) return wait_for(stall::drain);
    if (lease_ != nullptr) reconsider_lease();
    ++shard_.stats.of(database_, c.spec->index).calls;
    ++shard_.stats.count.parked_calls;
    const auto key = shard_.key_for(database_, protocol_, role(), link_lane::lease);
    parked_silent_ = reply_mode_ != reply_mode::on;
    stall_ = stall::parked;
    if (observed(*c.spec)) {
        shard_.gate.asks_again(database_, id_);
        observe_wait(call);
    }
    parked_ = &shard_.park(*this, std::move(call), key, c.spec->index);
    parked_->start();
    return step::consumed;
}

// Whoever has sent his last byte does not begin to wait: he gets the replies to what came before, and is
// over.
session::step session::end_instead() {
    close_after_flush();
    return step::consumed;
}

void session::on_parked_reply(const std::string& answer, std::optional<broker::popped> popped,
                              std::optional<std::int64_t> ttl_ms, pop_care care) {
    parked_ = nullptr;
    if (shard_.watches(database_) && !control()) {
        if (!popped) observe_wait_over();
        if (popped && popped->from != broker::popped::where::sorted_set)
            for (const auto& message : popped->elements) observe_pop(popped->key, message);
    }
    if (popped && !parked_silent_ && care == pop_care::put_back_unsent)
        unsent_pops_.push_back({output_.appended_total(), database_, std::move(*popped), ttl_ms});
    if (!parked_silent_) append_output(answer);
    if (shard_.draining()) {
        stall_ = stall::none;
        end_input();
        if (pipeline_.in_flight() == 0) close_after_flush();
        return;
    }
    wake(stall::parked);
}

// WAIT speaks of the writes of its own connection. On a fresh one it would answer at once, whatever the
// replicas have: with_lease runs a replicated no-op before it.
session::step session::wait_command(const command& c) {
    if ((lease_ == nullptr || ended_) && entries_ > 0) return wait_for(stall::drain);
    if (ended_) return end_instead();
    const step result = with_lease(c, role(), true);
    if (result == step::consumed && lease_ != nullptr && entries_ > 0) {
        stall_ = stall::drain;
        blocks_on_lease_ = true;
    }
    return result;
}

// Hands back what it holds beyond its own memory.
void session::let_go() {
    for (auto& pop : unsent_pops_) {
        if (output_.sent_total() > pop.begins_at) continue;
        if (pop.in_flight) {
            shard_.receivers.give_back(pop.database, pop.what.key,
                                       {pop.what.elements.front(), pop.what.scores.front()});
        } else {
            shard_.put_back(pop.database, std::move(pop.what), pop.ttl_ms);
        }
    }
    unsent_pops_.clear();
    leave_receives();
    leave_layer();
    if (parked_ != nullptr) {
        parked_->abandon();
        parked_ = nullptr;
    }
    shard_.leases.stop_waiting(*this);
    if (lease_ != nullptr) end_lease(false);
    unsubscribe_all();
    shard_.resume_publishers();
}

}  // namespace sidecar
