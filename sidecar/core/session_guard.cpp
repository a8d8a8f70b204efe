// What is done for channels_redis's core layer, which knows nothing of it (--channels guard): its receivers
// wait without a connection and are answered before their own timeout, a popped message is never in one
// place only that may die, and what its repetition does not change goes out again after an outage.
#include <algorithm>

#include "channels/core_layer.hpp"
#include "resp/number.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"

namespace sidecar {

using channels::layer_step;

namespace {

// redis-py 8 gives up a socket that says nothing for 5 s.
constexpr std::chrono::milliseconds wait_max{4'500};
constexpr std::chrono::milliseconds early_by{500};
// A larger script call goes out with its text, so that no copy need be kept for a Redis that forgot the
// script.
constexpr std::size_t kept_call_bytes_max = 64U << 10;
constexpr std::string_view queue_ttl_seconds = "60";

std::chrono::milliseconds patience(std::optional<std::chrono::milliseconds> asked) {
    if (!asked) return wait_max;
    return std::min(wait_max, std::max(*asked - early_by, *asked / 2));
}

std::uint8_t mark_of(layer_step step) {
    switch (step) {
        case layer_step::cleanup:
            return script_mark::cleanup;
        case layer_step::group_send:
            return script_mark::group_send;
        default:
            return script_mark::flush;
    }
}

std::int64_t milliseconds_of(time_point now) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

void append_score(std::string& out, std::string_view score, int protocol) {
    if (protocol == 2) return resp::append_bulk(out, score);
    out.append(",").append(score).append("\r\n");
}

}  // namespace

// nullopt: nothing of the layer's, or nothing is to be done for it.
std::optional<session::step> session::guard(const command& c) {
    const bool usual = lease_ == nullptr && reply_mode_ == reply_mode::on && !user_->readonly;
    if (!usual || !shard_.guards(database_)) return std::nullopt;
    const auto layer = channels::recognise_layer(c.spec->name, c.args);
    switch (layer.step) {
        case layer_step::other:
            return std::nullopt;
        case layer_step::receive:
            return guard_receive(c, layer);
        case layer_step::cleanup:
        case layer_step::group_send:
        case layer_step::flush:
            return guard_script(c, layer);
        case layer_step::confirm:
            if (shard_.process.receives.confirm(database_, layer.key, layer.member, id_) ==
                channels::receive_ledger::confirmation::settled) {
                // Its receive was given up and the message went back; whoever waits for this answer, if
                // anybody does, must not go on with it.
                close_now("it confirms a message that has gone back");
                return step::consumed;
            }
            return guard_forward(c, reply_use::forward, entry_flag::repeatable).first;
        case layer_step::clean:
            return guard_clean(c, layer);
        case layer_step::enqueue:
            if (!shard_.receivers_uncovered()) return std::nullopt;
            return guard_enqueue(c, layer);
        default:
            return guard_forward(c, reply_use::forward, entry_flag::repeatable).first;
    }
}

// Like forward, with flags. The entry's number counts if it was submitted.
std::pair<session::step, std::optional<std::uint32_t>> session::guard_forward(const command& c, reply_use use,
                                                                              std::uint16_t flags) {
    link* target = main_link();
    if (target == nullptr) return {wait_for(stall::drain), std::nullopt};
    if (!target->ready() && shard_.hold_of(*target) != hold_state::open)
        return {forward_on(*target, c, use), std::nullopt};
    return {step::consumed, submit(*target, c, use, flags)};
}

session::step session::guard_enqueue(const command& c, const channels::layer_command& layer) {
    const auto [done, number] = guard_forward(c, reply_use::guard, 0);
    if (number) extras_[*number].names.emplace_back(layer.key);
    return done;
}

std::optional<session::step> session::guard_receive(const command& c, const channels::layer_command& layer) {
    if (!channels::has_one_reader(layer.key) && !shard_.process.receives.knows(database_, layer.key))
        return std::nullopt;
    broker::blocking_call call;
    if (broker::parse_blocking(c.args, call) != broker::blocking_parse::blocking) return std::nullopt;
    if (entries_ > 0) return wait_for(stall::drain);
    if (ended_) return end_instead();
    ++shard_.stats.of(database_, c.spec->index).calls;
    ++shard_.stats.count.channels_receives;
    stall_ = stall::parked;
    receiving_ = layer.key;
    shard_.receivers.add(*this, database_, receiving_, shard_.now() + patience(call.timeout));
    return step::consumed;
}

void session::on_received(int db, std::string_view key, channels::receive_ledger::message what) {
    receiving_.clear();
    guarded_receiver_ = true;
    std::string answer;
    resp::append_array_header(answer, 3);
    resp::append_bulk(answer, key);
    resp::append_bulk(answer, what.member);
    append_score(answer, what.score, protocol_);
    broker::popped popped{std::string(key), broker::popped::where::sorted_set, {what.member}, {what.score}};
    if (!shard_.process.receives.delivered(db, key, std::move(what), id_, milliseconds_of(shard_.now())))
        ++shard_.stats.count.channels_receives_untracked;
    unsent_pops_.push_back({output_.appended_total(), db, std::move(popped), std::nullopt, true});
    end_wait(answer);
}

// With an error, or with nil when there is none.
void session::on_receive_over(std::string_view error) {
    receiving_.clear();
    end_wait(!error.empty() ? error : protocol_ == 2 ? "*-1\r\n" : "_\r\n");
}

void session::end_wait(std::string_view answer) {
    append_output(answer);
    if (!shard_.draining()) return wake(stall::parked);
    stall_ = stall::none;
    end_input();
    if (pipeline_.in_flight() == 0) close_after_flush();
}

// CLIENT UNBLOCK, and drain.
bool session::unblock(parked_call::unblock_as how) {
    if (parked_ != nullptr) return parked_->unblock(how);
    if (receiving_.empty()) return false;
    shard_.receivers.remove(*this, database_, receiving_);
    on_receive_over(
        how == parked_call::unblock_as::error ? "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n" : "");
    return true;
}

session::step session::withhold_cleanup() {
    ++shard_.stats.count.channels_cleanups_withheld;
    std::string nil;
    resp::append_null(nil, protocol_);
    reply(nil);
    return step::consumed;
}

session::step session::guard_script(const command& c, const channels::layer_command& layer) {
    std::size_t returned = 0;
    if (layer.step == layer_step::cleanup) {
        // The receive that begins so was cancelled. Read late, its cleanup would take away what the receive
        // after it has been given meanwhile.
        if (io != nullptr && io->peer_has_ended()) return withhold_cleanup();
        const auto verdict =
            shard_.process.receives.cleanup(database_, layer.key, id_, milliseconds_of(shard_.now()));
        returned = verdict.in_flight;
        shard_.stats.count.channels_put_backs += returned;
        for (const auto& what : verdict.unconfirmed) shard_.receivers.give_back(database_, layer.key, what);
        if (!verdict.forward) return withhold_cleanup();
    }
    command call = c;
    std::string by_hash;
    const auto loaded = shard_.upstream_of(database_).scripts_loaded;
    const bool shorten =
        layer.script_text && (loaded & mark_of(layer.step)) != 0 && c.bytes.size() <= kept_call_bytes_max;
    if (shorten) {
        std::vector<std::string_view> words(c.args.begin(), c.args.end());
        words[0] = "EVALSHA";
        words[1] = channels::script_hash(layer.step);
        resp::append_command(by_hash, words);
        call.bytes = by_hash;
        ++shard_.stats.count.channels_scripts_by_hash;
    }
    const std::uint16_t flags = channels::is_idempotent(layer) ? entry_flag::repeatable : std::uint16_t{0};
    const auto [done, number] = guard_forward(call, reply_use::guard, flags);
    if (!number) return done;
    extra& more = extras_[*number];
    more.layer = layer.step;
    if (shorten) more.text = c.bytes;
    if (layer.step == layer_step::cleanup) more.names.emplace_back(layer.key);
    if (layer.step == layer_step::group_send && shard_.receivers_uncovered()) {
        const auto keys = static_cast<std::size_t>(resp::parse_number(c.args[2]).value_or(0));
        more.names.assign(c.args.begin() + 3, c.args.begin() + 3 + static_cast<std::ptrdiff_t>(keys));
    }
    // The layer's script leaves a queue that it makes anew without an end.
    if (returned > 0)
        shard_.ask(*link_, resp::command({"EXPIRE", layer.key, queue_ttl_seconds, "NX"}),
                   [](std::string_view) {});
    return done;
}

// Exactly the message whose receive ends is removed: the lowest in K$inflight may be another's.
session::step session::guard_clean(const command& c, const channels::layer_command& layer) {
    if (main_link() == nullptr) return wait_for(stall::drain);
    const auto whose = shard_.process.receives.clean(database_, layer.key, id_);
    if (!whose) {
        const std::uint16_t flags =
            channels::is_idempotent(layer) ? entry_flag::repeatable : std::uint16_t{0};
        return guard_forward(c, reply_use::forward, flags).first;
    }
    const std::string exact = resp::command({"ZREM", channels::inflight_key(layer.key), whose->member});
    command call = c;
    call.bytes = exact;
    const auto [done, number] = guard_forward(call, reply_use::guard, entry_flag::repeatable);
    if (!number) return done;
    extra& more = extras_[*number];
    more.layer = layer_step::clean;
    resp::append_array_header(more.text, 2);
    resp::append_bulk(more.text, whose->member);
    append_score(more.text, whose->score, protocol_);
    return done;
}

// True: upstream has forgotten the script; its call is on its way again, with the text.
bool session::send_script_again(const upstream_entry& entry, extra& x) {
    if (x.text.empty() || x.layer == layer_step::clean || !x.reply.starts_with("-NOSCRIPT")) return false;
    shard_.upstream_of(entry.database).scripts_loaded &= static_cast<std::uint8_t>(~mark_of(x.layer));
    const std::string bytes = std::exchange(x.text, {});
    x.reply.clear();
    upstream_entry again = entry;
    again.submitted_us = shard_.now_us();
    again.flags &= static_cast<std::uint16_t>(~(entry_flag::retried | entry_flag::partial));
    ++entries_;
    unanswered_bytes_ += bytes.size();
    link& over = shard_.shared_link(shard_.key_for(entry.database, protocol_, role(), link_lane::main));
    over.submit(again, bytes);
    extras_[entry.number] = std::move(x);
    return true;
}

std::string session::finish_guarded(const upstream_entry& entry, extra& x) {
    const bool failed = x.reply.starts_with('-');
    if (x.layer == layer_step::clean) return failed ? std::move(x.reply) : std::move(x.text);
    if (!failed && x.layer != layer_step::other)
        shard_.upstream_of(entry.database).scripts_loaded |= mark_of(x.layer);
    if (x.layer == layer_step::group_send && x.reply.starts_with(':')) {
        const auto dropped = resp::parse_number(std::string_view(x.reply).substr(1, x.reply.size() - 3));
        shard_.stats.count.channels_over_capacity +=
            static_cast<std::uint64_t>(std::max<std::int64_t>(0, dropped.value_or(0)));
    }
    for (const auto& key : x.names) shard_.wake_receivers(entry.database, key);
    return std::move(x.reply);
}

// Of what was popped for it and neither confirmed nor sent.
void session::leave_receives() {
    if (!receiving_.empty()) shard_.receivers.remove(*this, database_, receiving_);
    receiving_.clear();
    if (!guarded_receiver_) return;
    guarded_receiver_ = false;
    for (auto& orphan : shard_.process.receives.receiver_gone(id_))
        if (!channels::has_one_reader(orphan.what.key))
            shard_.receivers.adopt(orphan.db, std::move(orphan.what));
}

}  // namespace sidecar
