#include "sidecar/core/session.hpp"

#include <algorithm>

#include "resp/writer.hpp"

namespace sidecar {

namespace {

constexpr std::uint64_t unanswered_bytes_max = 16U << 20;  // of commands of one client
constexpr std::size_t link_kept_bytes_max = 256U << 20;    // of commands of all clients on a link
constexpr std::uint32_t bulk_in_flight_max = 4;            // of a client whose replies are large
constexpr std::uint32_t in_flight_max = 20'000;            // commands of one client sent and not answered
constexpr std::size_t stalled_input_bytes_max = 1U << 20;  // read ahead of a client that must wait
constexpr std::size_t output_pause_bytes_max = 8U << 20;   // unread replies before upstream is made to wait
constexpr std::uint64_t bulk_reply_bytes_min = 1U << 20;
constexpr std::uint32_t small_replies_max = 1'000;  // in a row, before a bulk client is an ordinary one again
constexpr std::size_t kept_input_bytes_max = 4'096;
constexpr std::size_t kept_arguments_max = 4'096;  // views, in the scratch that all clients share
constexpr std::chrono::milliseconds progress_time_max{200};

// May everything; no password leads to it.
const user& control_user() {
    static const user who{"sidecar", ~0U, false, false, {}};
    return who;
}

}  // namespace

session::session(shard_core& shard, std::uint64_t id, client_address address)
    : shard_(shard),
      id_(id),
      address_(std::move(address)),
      user_(control() ? &control_user() : &shard.settings().users.default_user()),
      output_(shard.output_buffers),
      created_at_(shard.now()),
      last_command_at_(shard.now()),
      last_progress_(shard.now()),
      database_(static_cast<std::uint8_t>(address_.database)),
      authenticated_(control() || shard.settings().users.open_to_all()),
      in_handshake_(address_.tls) {}

session::~session() = default;

resp::peer_trust session::trust() const {
    return authenticated_ ? resp::peer_trust::known : resp::peer_trust::stranger;
}

// False while too much of this client, or on its link, is unanswered or unread.
bool session::may_submit() const {
    if (output_.size() > output_high_water() || unanswered_bytes_ > unanswered_bytes_max) return false;
    return link_ == nullptr || lease_ != nullptr || link_->kept_bytes() <= link_kept_bytes_max;
}

// What of it changes while plain commands are forwarded one after the other.
inline bool session::link_has_room() const {
    return unanswered_bytes_ <= unanswered_bytes_max && link_->kept_bytes() <= link_kept_bytes_max;
}

// No more input; what is in flight is still answered.
void session::end_input() {
    if (life_ == session_life::open) life_ = session_life::draining;
}

// --- input

void session::on_bytes(std::string_view bytes) {
    shard_.stats.count.bytes_from_clients += bytes.size();
    if (life_ != session_life::open) return;
    if (input_.empty()) {
        window_ = bytes;
        process();
        // What is left is kept; a long command gets its room at once.
        if (!window_.empty() && life_ == session_life::open) {
            const std::size_t wanted = std::min(scanner_.bytes_wanted(), std::size_t{64} << 20);
            if (stall_ == stall::none) input_.reserve(window_.size() + wanted);
            input_.assign(window_);
            input_at_ = 0;
        }
        window_ = {};
    } else {
        if (input_at_ > 0 && input_at_ * 2 >= input_.size()) {
            input_.erase(0, input_at_);
            input_at_ = 0;
        }
        input_.append(bytes);
        resume();
    }
}

// Goes on with the input that was kept.
void session::resume() {
    if (processing_ || life_ != session_life::open) return;
    window_ = std::string_view(input_).substr(input_at_);
    process();
    if (life_ != session_life::open || window_.empty()) {
        if (input_.capacity() > kept_input_bytes_max) {
            std::string().swap(input_);
        } else {
            input_.clear();
        }
        input_at_ = 0;
    } else {
        input_at_ = input_.size() - window_.size();
    }
    window_ = {};
    if (io != nullptr) shard_.mark_dirty(*this);  // may want to read again
    if (ended_) on_end_of_stream();               // decided anew: it may wait inside a call by now
}

void session::process() {
    if (processing_) return;
    processing_ = true;
    resp::scanned_command scanned = std::move(shard_.scan_scratch);
    bool express = may_go_express() && may_submit();
    while (life_ == session_life::open && stall_ == stall::none && !window_.empty()) {
        const std::uint32_t allowed = bulk_ ? bulk_in_flight_max : in_flight_max;
        if (pipeline_.in_flight() >= allowed || !(express ? link_has_room() : may_submit())) {
            ++shard_.stats.count.backpressure_stalls;
            stall_ = stall::backpressure;
            break;
        }
        const auto status = scanner_.scan(window_, trust(), scanned);
        if (status == resp::scan_status::need_more) break;
        if (status == resp::scan_status::error) {
            ++shard_.stats.count.protocol_errors;
            const std::string text = scanner_.error_text();
            shard_.log('w', "protocol error",
                       {{"client", std::to_string(id_)}, {"addr", address_.remote}, {"cause", text}});
            if (!text.empty()) reply_error(text);
            end_input();
            break;
        }
        if (status == resp::scan_status::nothing) {
            consume(scanned.bytes);
            continue;
        }
        const std::size_t frame = scanned.bytes;
        if (express && forward_plain(scanned, window_.substr(0, frame))) {
            consume(frame);
            continue;
        }
        if (dispatch(scanned, window_.substr(0, frame)) == step::consumed) consume(frame);
        express = may_go_express() && may_submit();
    }
    if (scanned.args.capacity() > kept_arguments_max) scanned.args = {};
    shard_.scan_scratch = std::move(scanned);
    processing_ = false;
    if (life_ == session_life::draining && pipeline_.in_flight() == 0) close_after_flush();
}

void session::consume(std::size_t bytes) {
    window_.remove_prefix(std::min(bytes, window_.size()));
}

bool session::wants_read() const {
    if (life_ != session_life::open || ended_) return false;
    if (stall_ == stall::none) return true;
    return input_.size() - input_at_ < stalled_input_bytes_max;
}

void session::on_end_of_stream() {
    if (life_ != session_life::open) return;
    ended_ = true;
    // Whoever waits inside a call is gone as far as Redis is concerned; everybody else still gets the replies
    // to what was sent before the end.
    if (blocked() || stall_ == stall::lease || stall_ == stall::subscribe || subscribed() || streaming_ ||
        blocks_on_lease_)
        return close_now("end of stream");
    if (stall_ != stall::none) return;
    end_input();
    if (pipeline_.in_flight() == 0) close_after_flush();
}

void session::on_broken() {
    if (life_ == session_life::closed) return;
    life_ = session_life::closed;
    if (in_handshake_) ++shard_.stats.count.tls_handshakes_failed;
    shard_.strangers.remove(id_);
    let_go();
    observe_end();
    output_.clear();
    // While a command is being handled it still looks at these bytes.
    if (!processing_) {
        std::string().swap(input_);
        input_at_ = 0;
    }
    unpause();
    if (disposable()) shard_.dispose_later(*this);
}

// --- output

void session::append_output(std::string_view bytes) {
    output_.append(bytes);
    if (!dirty) shard_.mark_dirty(*this);
}

void session::reply(std::string_view bytes) {
    if (reply_mode_ != reply_mode::on) return;
    if (pipeline_.in_flight() == 0) {
        append_output(bytes);
    } else {
        emit(pipeline_.issue(), bytes, true);
    }
}

void session::reply_error(std::string_view text) {
    std::string out;
    resp::append_error(out, text);
    reply(out);
}

void session::emit(std::uint32_t number, std::string_view bytes, bool complete) {
    const bool shown = life_ != session_life::closed;
    if (!pipeline_.is_next(number)) {
        pipeline_.park(number, shown ? bytes : std::string_view{}, complete);
        if (shown) check_output();
        return;
    }
    if (shown && !bytes.empty()) append_output(bytes);
    mid_reply_ = !complete;
    if (complete) {
        const auto append_early = [&](std::string_view early) {
            if (shown) append_output(early);
        };
        mid_reply_ = pipeline_.complete_next(append_early) == pipeline::standing::inside_reply;
    }
    if (!shown) return;
    release_pushes();
    check_output();
}

// Pushes that had to wait for the end of a reply, or for that of the client's own PUBLISH.
void session::release_pushes() {
    if (mid_reply_ || publishing_ > 0 || deferred_pushes_.empty()) return;
    for (const auto& frame : deferred_pushes_) append_output(frame);
    deferred_pushes_.clear();
    deferred_push_bytes_ = 0;
}

// An out-of-band frame: never inside a reply.
void session::push(std::string_view frame) {
    if (mid_reply_ || publishing_ > 0) {
        deferred_pushes_.emplace_back(frame);
        deferred_push_bytes_ += frame.size();
    } else {
        append_output(frame);
    }
}

// How much may wait for this client before upstream is made to wait instead.
std::size_t session::output_high_water() const {
    const std::uint64_t limit = shard_.settings().settings.client_output_bytes_max;
    return static_cast<std::size_t>(std::min<std::uint64_t>(output_pause_bytes_max, limit / 4));
}

void session::check_output() {
    const std::size_t waiting = output_.size() + pipeline_.parked_bytes() + deferred_push_bytes_;
    if (waiting <= output_high_water()) return;
    // Large replies to a client that reads them: upstream waits instead of our memory growing. A client that
    // does not read makes nobody wait: its output grows to the limit, and it is closed.
    const bool progressing = shard_.now() - last_progress_ < progress_time_max;
    link* source = lease_ != nullptr ? lease_ : link_;
    if (progressing && entries_ > channel_calls_ && source != nullptr &&
        source->key().lane != link_lane::subscription) {
        if (paused_link_ != nullptr) return;
        paused_link_ = source;
        source->pause_reading();
        if (lease_ == nullptr) {
            bulk_ = true;
            shard_.swap_lane(*source);
        }
        return;
    }
    if (waiting <= shard_.settings().settings.client_output_bytes_max) return;
    ++shard_.stats.count.clients_closed_output;
    close_now("output limit");
}

void session::unpause() {
    if (paused_link_ == nullptr) return;
    paused_link_->resume_reading();
    paused_link_ = nullptr;
}

void session::on_sent(std::size_t bytes) {
    ++shard_.stats.count.client_writes;
    shard_.stats.count.bytes_to_clients += bytes;
    output_.consume(bytes);
    last_progress_ = shard_.now();
    while (!unsent_pops_.empty() && output_.sent_total() > unsent_pops_.front().begins_at)
        unsent_pops_.erase(unsent_pops_.begin());
    if (seat_ != nullptr) forget_sent_messages();
    if (output_.size() > output_high_water() / 2) return;
    unpause();
    if (stall_ == stall::backpressure) wake(stall::backpressure);
}

bool session::wants_close() const {
    return life_ == session_life::closed || (life_ == session_life::flushing && output_.empty());
}

void session::close_after_flush() {
    if (life_ == session_life::flushing || life_ == session_life::closed) return;
    life_ = session_life::flushing;
    shard_.mark_dirty(*this);
}

void session::close_now(std::string_view cause) {
    if (life_ == session_life::closed) return;
    if (cause != "end of stream")
        shard_.log('i', "client closed",
                   {{"client", std::to_string(id_)},
                    {"addr", address_.remote},
                    {"db", std::to_string(database_)},
                    {"user", user_->name},
                    {"cause", std::string(cause)}});
    shard_.mark_dirty(*this);
    on_broken();
}

// --- replies

// Whole replies of ordinary use, next in order, to an open client that waits for nothing.
bool session::takes_run(const upstream_entry& first) const {
    return pipeline_.is_next_and_alone(first.number) && life_ == session_life::open &&
           stall_ == stall::none && lease_ == nullptr && !bulk_ && !mid_reply_ && deferred_pushes_.empty();
}

void session::on_run(std::uint32_t count, std::uint64_t command_bytes, std::string_view replies) {
    append_output(replies);
    pipeline_.advance(count);
    entries_ -= count;
    unanswered_bytes_ -= std::min(unanswered_bytes_, command_bytes);
    multi_is_resent_ = false;
    if (output_.size() > output_high_water()) check_output();
}

void session::on_reply(const upstream_entry& entry, std::string_view bytes, bool complete) {
    const bool silent = (entry.flags & entry_flag::silent) != 0;
    multi_is_resent_ = false;
    // CLIENT TRACKING was refused where there was none: the lease need not be kept for it.
    if (entry.use == reply_use::sticky && (entry.flags & entry_flag::starts_tracking) != 0 &&
        bytes.starts_with('-')) {
        tracking_ = false;
        if (!watching_ && tx_ == nullptr) lease_ends_ = true;
    }
    if (entry.use == reply_use::forward || entry.use == reply_use::sticky || entry.use == reply_use::queued) {
        note_size(bytes.size(), complete);
        if (!silent || complete) emit(entry.number, silent ? std::string_view{} : bytes, complete);
    } else {
        extras_[entry.number].reply.append(bytes);
        if (!complete) return;
        auto node = extras_.extract(entry.number);
        if (goes_again(entry, node.mapped())) return entry_gone(entry);
        if (node.mapped().publishes) --publishing_;
        const std::string shown = transform(entry, node.mapped());
        emit(entry.number, silent ? std::string_view{} : shown, true);
    }
    if (complete) entry_gone(entry);
}

// The reply the client sees in place of upstream's.
std::string session::transform(const upstream_entry& entry, extra& x) {
    switch (entry.use) {
        case reply_use::publish:
            return correct_publish(x.kind, x.text, x.reply);
        case reply_use::numsub:
            return correct_numsub(x.names, x.text == "s", x.reply);
        case reply_use::poison:
            return x.text;
        case reply_use::exec:
            return finish_exec(x);
        case reply_use::guard:
            return finish_guarded(entry, x);
        default:
            return std::move(x.reply);
    }
}

// A client whose replies are large is served by a link of its kind, so that they delay only each other.
void session::note_size(std::size_t bytes, bool complete) {
    reply_bytes_ += bytes;
    if (!complete) return;
    if (reply_bytes_ >= bulk_reply_bytes_min) {
        bulk_ = true;
        small_replies_ = 0;
    } else if (bulk_ && ++small_replies_ > small_replies_max) {
        bulk_ = false;
        served_by_user_ = nullptr;  // the next command chooses its link anew
    }
    reply_bytes_ = 0;
}

// One of its entries is answered or dropped: whatever waited for that goes on.
void session::entry_gone(const upstream_entry& entry) {
    --entries_;
    unanswered_bytes_ -= std::min<std::uint64_t>(unanswered_bytes_, entry.bytes);
    if (entries_ == 0) blocks_on_lease_ = false;
    if (life_ == session_life::closed) {
        if (entries_ == 0) shard_.dispose_later(*this);
        return;
    }
    if (life_ == session_life::draining && pipeline_.in_flight() == 0) return close_after_flush();
    if (entries_ == 0 && lease_ != nullptr && lease_ends_) reconsider_lease();
    if (stall_ == stall::drain && entries_ == 0) wake(stall::drain);
    if (stall_ == stall::backpressure &&
        pipeline_.in_flight() < (bulk_ ? bulk_in_flight_max : in_flight_max / 2) &&
        output_.size() <= output_high_water() / 2)
        wake(stall::backpressure);
}

void session::wake(stall from) {
    if (stall_ != from) return;
    stall_ = stall::none;
    shard_.resume_later(*this);
}

loss_verdict session::on_link_lost(const upstream_entry& entry, bool sent) {
    const bool alive = life_ == session_life::open || life_ == session_life::draining;
    const bool repeatable = (entry.flags & (entry_flag::readonly | entry_flag::repeatable)) != 0 &&
                            (entry.flags & (entry_flag::retried | entry_flag::partial)) == 0;
    const bool behind_multi = (entry.flags & entry_flag::in_transaction) != 0;
    // A transaction goes out again whole or not at all.
    const bool again_in_transaction = !sent || (entry.flags & entry_flag::repeatable) != 0;
    const bool complete_again = behind_multi ? multi_is_resent_ && again_in_transaction : !sent || repeatable;
    if (alive && lease_ == nullptr && complete_again && tx_ == nullptr) {
        if (!behind_multi) multi_is_resent_ = !sent || (entry.flags & entry_flag::repeatable) != 0;
        if (sent) ++shard_.stats.count.reads_retried;
        return loss_verdict::resend;
    }
    if (alive && (sent || behind_multi)) {
        ++shard_.stats.count.clients_closed_unknown_outcome;
        shard_.log('w', "client closed",
                   {{"client", std::to_string(id_)},
                    {"addr", address_.remote},
                    {"db", std::to_string(database_)},
                    {"cause", "upstream was lost with a command unanswered"}});
        close_after_flush();
    } else if (alive) {
        close_after_flush();
    }
    extras_.erase(entry.number);
    if (entry.note != 0) shard_.tap.failed(entry.note);
    --entries_;
    unanswered_bytes_ -= std::min<std::uint64_t>(unanswered_bytes_, entry.bytes);
    if (life_ == session_life::closed && entries_ == 0) shard_.dispose_later(*this);
    return loss_verdict::drop;
}

void session::on_never_sent(const upstream_entry& entry) {
    const auto& up = shard_.upstream_of(database_);
    if (const auto it = extras_.find(entry.number); it != extras_.end() && it->second.publishes)
        --publishing_;
    extras_.erase(entry.number);
    if (entry.note != 0) shard_.tap.failed(entry.note);
    if (up.refused && life_ != session_life::closed) {
        emit(entry.number, "-WRONGPASS upstream refused the sidecar's password\r\n", true);
    } else if (!up.busy.empty() && life_ != session_life::closed) {
        emit(entry.number, "-" + up.busy + "\r\n", true);
    } else if (life_ != session_life::closed) {
        if (wants_still()) ++shard_.stats.count.clients_closed_hold;
        close_after_flush();
    }
    if (life_ != session_life::closed) forget_transaction();
    entry_gone(entry);
    if (life_ != session_life::closed && lease_ != nullptr && entries_ == 0) end_lease(false);
}

void session::on_time(time_point now) {
    if (stall_ == stall::lease && now - waiting_since_ > shard_.settings().settings.hold) {
        ++shard_.stats.count.lease_wait_timeouts;
        close_now("no dedicated connection became free in time");
    }
    if (paused_link_ != nullptr && now - last_progress_ >= progress_time_max) unpause();
    if (stall_ == stall::backpressure && may_submit() && pipeline_.in_flight() < in_flight_max / 2)
        wake(stall::backpressure);
    if (stall_ == stall::publish && now - waiting_since_ > shard_.settings().settings.hold) {
        ++shard_.stats.count.clients_closed_hold;
        close_now("a subscription it would overtake is not confirmed");
    }
}

void session::drain() {
    if (life_ != session_life::open) return;
    if (blocks_on_lease_ || streaming_) return close_now("shutting down");
    unblock(parked_call::unblock_as::timeout);
    if (stall_ == stall::none || stall_ == stall::drain || stall_ == stall::backpressure) {
        end_input();
        if (pipeline_.in_flight() == 0) close_after_flush();
    } else if (stall_ != stall::parked) {
        close_now("shutting down");
    }
}

}  // namespace sidecar
