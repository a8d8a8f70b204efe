#include "sidecar/core/link.hpp"

#include <algorithm>
#include <utility>

#include "resp/value.hpp"

namespace sidecar {

namespace {
constexpr std::size_t greeting_bytes_max = 1U << 20;
constexpr std::size_t push_bytes_max = 1ULL << 30;
constexpr std::size_t error_prefix_bytes = 96;  // enough of a reply to tell what kind of error it is
// Between two attempts with a password that upstream refuses; when the control connection's is taken, the
// others are tried at once.
constexpr std::chrono::milliseconds refused_control_delay{200};
constexpr std::chrono::milliseconds refused_delay{1000};
}  // namespace

link::link(link_key key, handshake_settings settings, link_events& events, std::uint64_t seed)
    : key_(key), settings_(std::move(settings)), events_(events), backoff_(seed) {}

void link::expire_held() {
    if (state_ == link_state::ready) return;
    upstream_queue waiting = std::exchange(queue_, {});
    waiting.on_lost([](const upstream_entry& entry, bool) {
        if ((entry.flags & entry_flag::unbounded) != 0) return loss_verdict::resend;
        if (entry.owner != nullptr) entry.owner->on_never_sent(entry);
        return loss_verdict::drop;
    });
    restore(std::move(waiting));
}

std::vector<upstream_entry> link::disown_written(const choice& wanted) {
    std::vector<upstream_entry> disowned;
    queue_.disown_written([&](const upstream_entry& entry) {
        if (!wanted(entry)) return false;
        disowned.push_back(entry);
        return true;
    });
    return disowned;
}

std::vector<upstream_entry> link::take_unsent(const choice& wanted) {
    std::vector<upstream_entry> taken;
    for (auto& [entry, bytes] : queue_.cut_unsent()) {
        if (wanted(entry)) {
            taken.push_back(entry);
        } else {
            queue_.push(entry, bytes);
        }
    }
    return taken;
}

bool link::wants_open(time_point now) const {
    if (retired_ || close_wanted_) return false;
    if (state_ != link_state::idle && state_ != link_state::waiting) return false;
    if (state_ == link_state::waiting && now < retry_at_) return false;
    return !queue_.empty() || open_wanted_;
}

void link::open_now() {
    open_wanted_ = true;
    events_.on_link_dirty(*this);
}

void link::retire() {
    if (retired_) return;
    retired_ = true;
    restore(std::exchange(queue_, {}));
    close();
}

// Puts back a queue that was taken aside while its owners were asked; they may have retired the link
// meanwhile.
void link::restore(upstream_queue queue) {
    if (!retired_) {
        queue_ = std::move(queue);
        return;
    }
    queue.on_lost([](const upstream_entry& entry, bool) {
        if (entry.owner != nullptr) entry.owner->on_never_sent(entry);
        return loss_verdict::drop;
    });
}

void link::send_unanswered(std::string_view bytes) {
    upstream_entry entry;
    entry.flags = entry_flag::unanswered;
    submit(entry, bytes);
}

void link::drop_unanswered_front() {
    while (!queue_.empty() && (queue_.front().flags & entry_flag::unanswered) != 0 && queue_.front_was_sent())
        queue_.pop_front();
}

void link::on_opening() {
    state_ = link_state::connecting;
}

void link::on_open() {
    state_ = link_state::greeting;
    greeting_ = std::make_unique<handshake>(settings_);
    greeting_sent_ = 0;
    greeting_in_.clear();
    scanner_ = resp::reply_scanner{};
    push_.clear();
    fail_cause_.clear();
    fail_why_ = handshake_state::more;
    events_.on_link_dirty(*this);
}

void link::on_bytes(std::string_view bytes) {
    bytes_in_ += bytes.size();
    if (std::exchange(held_back_, false)) events_.on_link_dirty(*this);
    if (state_ == link_state::greeting) greet(bytes);
    bool pushed = false;
    const auto end_pushes = [&] {
        if (std::exchange(pushed, false)) events_.on_link_pushes_end(*this);
    };
    while (!bytes.empty() && !close_wanted_) {
        if (bytes.front() != '>') {
            end_pushes();
            if (const std::size_t used = deliver_run(bytes); used > 0) {
                bytes.remove_prefix(used);
                continue;
            }
        }
        const auto step = scanner_.scan(bytes);
        if (step.status == resp::reply_status::error) {
            fail("upstream sent bytes that are no RESP", handshake_state::failed);
            break;
        }
        const auto piece = bytes.substr(0, step.bytes);
        bytes.remove_prefix(step.bytes);
        const bool complete = step.status == resp::reply_status::complete;
        if (scanner_.is_push()) {
            pushed = true;
            on_push_piece(piece, complete);
        } else {
            end_pushes();
            deliver(piece, complete);
        }
    }
    end_pushes();
}

// Replies to the handshake are few and small: they are gathered and read into values.
void link::greet(std::string_view& bytes) {
    greeting_in_.append(bytes);
    bytes = {};
    std::size_t used = 0;
    while (state_ == link_state::greeting) {
        const auto reply = resp::parse_value(greeting_in_, used);
        if (!reply) break;
        greeting_in_.erase(0, used);
        if (reply->type == resp::kind::push) continue;
        const handshake_state verdict = greeting_->on_reply(*reply);
        if (verdict == handshake_state::more) continue;
        if (verdict != handshake_state::ready) return fail(greeting_->cause(), verdict);
        client_id_ = greeting_->upstream_client_id();
        confined_ = greeting_->confined();
        if (!greeting_->server_version().empty()) server_version_ = greeting_->server_version();
        greeting_.reset();
        backoff_.reset();
        open_wanted_ = false;
        state_ = link_state::ready;
        purge_unwanted();
        events_.on_link_ready(*this);
        events_.on_link_dirty(*this);
    }
    if (state_ == link_state::greeting && greeting_in_.size() > greeting_bytes_max)
        fail("upstream's greeting is no RESP", handshake_state::failed);
}

// Commands of clients that went away while there was no connection are not sent any more.
void link::purge_unwanted() {
    upstream_queue waiting = std::exchange(queue_, {});
    waiting.on_lost([](const upstream_entry& entry, bool) {
        if (entry.owner == nullptr || entry.owner->wants_still()) return loss_verdict::resend;
        entry.owner->on_never_sent(entry);
        return loss_verdict::drop;
    });
    restore(std::move(waiting));
}

void link::deliver(std::string_view piece, bool complete) {
    drop_written_unanswered();
    if (queue_.empty() || !queue_.front_was_sent()) {
        if (!events_.on_link_unsolicited(*this, piece))
            fail("upstream sent a reply that nobody asked for: " + std::string(piece.substr(0, 64)),
                 handshake_state::failed);
        return;
    }
    const upstream_entry entry = queue_.front();
    if (!complete) {
        queue_.front().flags |= entry_flag::partial;
        if (first_bytes_.size() < error_prefix_bytes)
            first_bytes_.append(piece.substr(0, error_prefix_bytes - first_bytes_.size()));
        if (entry.owner != nullptr) entry.owner->on_reply(entry, piece, false);
        return;
    }
    const bool in_pieces = (entry.flags & entry_flag::partial) != 0;
    if (in_pieces) first_bytes_.append(piece.substr(0, error_prefix_bytes));
    events_.on_link_answer(*this, entry, in_pieces ? std::string_view(first_bytes_) : piece);
    if (in_pieces) first_bytes_.clear();
    queue_.pop_front();
    drop_written_unanswered();
    if (entry.owner != nullptr) entry.owner->on_reply(entry, piece, true);
}

// Hands the whole short replies at the front to their common owner in one piece. Returns how many bytes that
// were; 0: the next reply must take the long way.
std::size_t link::deliver_run(std::string_view bytes) {
    constexpr std::size_t run_bytes_max = 64U << 10;
    if (scanner_.inside_reply() || queue_.empty() || queue_.holds_unanswered()) return 0;
    reply_owner* const owner = queue_.front().owner;
    std::size_t used = 0;
    std::uint64_t command_bytes = 0;
    std::uint32_t first_number = 0;
    std::uint32_t count = 0;
    while (used < bytes.size() && used < run_bytes_max && !queue_.empty()) {
        const upstream_entry& entry = queue_.front();
        if (entry.owner != owner || !entry.is_plain_forward() || !queue_.front_was_sent()) break;
        if (count == 0) first_number = entry.number;
        if (entry.number != first_number + count) break;
        if (count == 0 && (owner == nullptr || !owner->takes_run(entry))) break;
        const std::size_t size = resp::short_reply_bytes(bytes.substr(used));
        if (size == 0 || size > run_bytes_max) break;
        events_.on_link_answer(*this, entry, bytes.substr(used, size));
        command_bytes += entry.bytes;
        queue_.pop_front();
        used += size;
        ++count;
    }
    if (count > 0) owner->on_run(count, command_bytes, bytes.substr(0, used));
    return used;
}

void link::on_push_piece(std::string_view piece, bool complete) {
    if (complete && push_.empty()) return events_.on_link_push(*this, piece);
    push_.append(piece);
    if (push_.size() > push_bytes_max) return fail("upstream sent an endless push", handshake_state::failed);
    if (!complete) return;
    const std::string frame = std::move(push_);
    push_.clear();
    events_.on_link_push(*this, frame);
    events_.on_link_pushes_end(*this);  // the frame does not outlive this
}

void link::fail(std::string_view cause, handshake_state why) {
    fail_cause_ = cause;
    fail_why_ = why;
    close_wanted_ = true;
    events_.on_link_dirty(*this);
}

void link::on_closed(std::string_view cause, time_point now) {
    const bool was_ready = state_ == link_state::ready;
    if (was_ready) ++losses_;
    const bool deliberate = close_wanted_ && fail_cause_.empty();
    state_ = link_state::waiting;
    retry_at_ = deliberate ? now : now + backoff_.next();
    if (fail_why_ == handshake_state::refused)
        retry_at_ = now + (key_.lane == link_lane::control ? refused_control_delay : refused_delay);
    close_wanted_ = false;
    held_back_ = false;
    pauses_ = 0;
    client_id_ = 0;
    greeting_.reset();
    scanner_ = resp::reply_scanner{};
    first_bytes_.clear();
    push_.clear();
    // A failed attempt loses nothing: no command was sent.
    if (was_ready) {
        upstream_queue lost = std::exchange(queue_, {});
        lost.on_lost([](upstream_entry& entry, bool sent) {
            if (entry.owner == nullptr) return loss_verdict::drop;
            const auto verdict = entry.owner->on_link_lost(entry, sent);
            if (sent) entry.flags |= entry_flag::retried;
            return verdict;
        });
        restore(std::move(lost));
    }
    const link_fall how = deliberate  ? link_fall::closed_by_us
                          : was_ready ? link_fall::lost
                                      : link_fall::attempt_failed;
    events_.on_link_down(*this, how, fail_cause_.empty() ? cause : std::string_view(fail_cause_), fail_why_);
    fail_cause_.clear();
    fail_why_ = handshake_state::more;
    events_.on_link_dirty(*this);
}

std::size_t link::gather(std::span<std::string_view> pieces) const {
    if (state_ == link_state::greeting) {
        if (pieces.empty() || greeting_sent_ >= greeting_->bytes_to_send().size()) return 0;
        pieces[0] = std::string_view(greeting_->bytes_to_send()).substr(greeting_sent_);
        return 1;
    }
    return state_ == link_state::ready && !held_back_ ? queue_.gather(pieces) : 0;
}

bool link::has_output() const {
    if (state_ == link_state::greeting) return greeting_sent_ < greeting_->bytes_to_send().size();
    return state_ == link_state::ready && !held_back_ && queue_.unsent_bytes() > 0;
}

void link::on_written(std::size_t bytes) {
    bytes_out_ += bytes;
    if (state_ == link_state::greeting) {
        greeting_sent_ += bytes;
    } else {
        queue_.on_written(bytes);
        drop_written_unanswered();
    }
}

}  // namespace sidecar
