// MULTI … EXEC. One that has arrived whole goes out as one run on the shared link; one typed step by step
// gets a lease.
#include <charconv>
#include <limits>

#include "resp/number.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"

namespace sidecar {

namespace {

// Commands that Redis runs at once instead of queueing them.
bool runs_inside_multi(verb id) {
    return id == verb::exec || id == verb::discard || id == verb::multi || id == verb::watch ||
           id == verb::quit || id == verb::reset;
}

bool is_local(verb id, const command_spec* sub) {
    if (id == verb::auth || id == verb::hello || id == verb::select || id == verb::sidecar) return true;
    if (id == verb::acl) return sub != nullptr && sub->name == "acl|whoami";
    return id == verb::client;
}

constexpr int broker_database = 2;

// kombu notes a delivery by ZADD and HSET, an acknowledgement by ZREM and HDEL, on its `unacked` keys;
// running one of these twice leaves the same state as running it once. kombu does not survive a lost
// acknowledgement (the slot of its consumer is never freed) and loses the message whose note is lost, so
// these transactions are sent again.
bool is_unacked_bookkeeping(std::string_view name, std::span<const std::string_view> args) {
    const bool known =
        name == "hset" || name == "hdel" || name == "zrem" || (name == "zadd" && args.size() == 4);
    return known && args.size() > 2 && (args[1].ends_with("unacked") || args[1].ends_with("unacked_index"));
}

constexpr std::size_t whole_transaction_commands_max = 100'000;

}  // namespace

session::step session::start_transaction(const command& c) {
    if (lease_ == nullptr && send_whole_transaction()) return step::consumed;
    if (stall_ != stall::none) return step::wait;
    if (lease_ != nullptr && lease_ends_) {
        if (entries_ > 0) return wait_for(stall::drain);
        reconsider_lease();
    }
    const auto before = entries_;
    const step result = with_lease(c, role(), false);
    if (result == step::consumed && lease_ != nullptr && entries_ > before) {
        tx_ = std::make_unique<transaction>();
        tx_dirty_ = false;
    }
    return result;
}

// True when the whole transaction was in the input and has been submitted; then everything but the MULTI
// itself is consumed here, and the caller consumes MULTI: so the window is left at its last command's front.
bool session::send_whole_transaction() {
    whole_transaction& whole = shard_.whole_scratch;
    if (!find_whole_transaction(whole)) return false;
    link* target = main_link();
    if (target == nullptr) {
        stall_ = stall::drain;
        return false;
    }
    if (!target->ready() && shard_.hold_of(*target) != hold_state::open) return false;
    submit_whole_transaction(*target, whole);
    window_.remove_prefix(whole.bytes - whole.parts.front().bytes.size());
    return true;
}

// Looks ahead in the input. False: it is not complete, or holds what must go step by step; a stall may be
// set.
bool session::find_whole_transaction(whole_transaction& found) {
    resp::command_scanner ahead;
    resp::scanned_command& scanned = shard_.ahead_scratch;
    std::string_view rest = window_;
    found.clear();
    found.repeatable = database_ == broker_database || shard_.guards(database_);
    const bool is_watched = shard_.watches(database_) && !control();
    const bool diverts = is_watched && shard_.gate.diverts_pushes(database_);
    for (verb id = verb::multi; id != verb::exec;) {
        if (found.parts.size() >= whole_transaction_commands_max || rest.empty()) return false;
        if (ahead.scan(rest, resp::peer_trust::known, scanned) != resp::scan_status::command ||
            scanned.is_inline)
            return false;
        command c;
        c.spec = shard_.commands.find(scanned.args[0]);
        c.args = scanned.args;
        c.argument_count = scanned.argument_count;
        const bool first = found.parts.empty();
        if (c.spec == nullptr || !c.spec->arity_fits(c.argument_count)) return false;
        id = c.spec->id;
        const bool simple = first || (c.spec->has(command_flag::plain) && user_->unlimited());
        if (!simple && !may_be_sent_whole(c)) return false;
        whole_transaction::part p{c.spec, rest.substr(0, scanned.bytes), {}};
        if (id == verb::publish || id == verb::spublish) {
            const int at = shard_.upstream_of(database_).index;
            p.kind = id == verb::publish ? channels::name_kind::channel : channels::name_kind::shard_channel;
            p.publish_to = c.args[1];
            if (shard_.process.registry.must_wait(at, p.kind, p.publish_to, shard_.index)) {
                wait_for_subscription();
                return false;
            }
            found.publishes = true;
        }
        if (!first && id != verb::exec)
            found.repeatable = found.repeatable && is_repeatable_in_transaction(c);
        if (is_watched && c.spec->has(command_flag::watched)) {
            p.is_observed = broker::tells_itself(c.spec->traffic);
            found.is_observed |= p.is_observed;
            if (c.spec->traffic == broker::traffic::take_note && found.delivers_at == std::string_view::npos)
                found.delivers_at = window_.size() - rest.size() - found.parts.front().bytes.size();
            if (diverts) {
                std::string other = diverted(c);
                if (!other.empty()) {
                    p.is_observed = false;
                    p.bytes = found.diverted.emplace_back(std::move(other));
                }
            }
        }
        found.parts.push_back(p);
        rest.remove_prefix(scanned.bytes);
    }
    found.bytes = window_.size() - rest.size();
    return true;
}

bool session::is_repeatable_in_transaction(const command& c) const {
    if (database_ == broker_database && is_unacked_bookkeeping(c.spec->name, c.args)) return true;
    return shard_.guards(database_) &&
           channels::recognise_layer(c.spec->name, c.args).step == channels::layer_step::trim;
}

bool session::may_be_sent_whole(const command& c) const {
    if (c.args.size() < c.argument_count) return false;
    command full = c;
    if (c.spec->has(command_flag::container) && c.args.size() > 1)
        full.sub = shard_.commands.find_sub(*c.spec, c.args[1]);
    const bool judged = !control() && (!c.spec->has(command_flag::unjudged) || !user_->unlimited());
    if (judged && shard_.settings().rules.check(database_, *user_, *full.spec, full.sub, full.args))
        return false;
    switch (const verb id = c.spec->id; id) {
        case verb::exec:
            return true;
        case verb::channel:
        case verb::copy:
        case verb::security_trap:
        case verb::monitor:
        case verb::psync:
        case verb::sync:
        case verb::replconf:
            return false;
        default:
            return !runs_inside_multi(id) && !is_local(id, full.sub) && !is_subscription(id);
    }
}

void session::submit_whole_transaction(link& target, const whole_transaction& whole) {
    auto tx = whole.publishes && shard_.process.registry.any_subscribed() ? std::make_unique<transaction>()
                                                                          : nullptr;
    std::uint32_t number = 0;
    const bool observed_whole = whole.is_observed && whole.diverted.empty() &&
                                whole.bytes_behind_multi() <= broker::whole_message_bytes_max;
    if (observed_whole) target.queue().keep_together(whole.bytes);
    std::string deliveries;
    for (std::size_t i = 0; i < whole.parts.size(); ++i) {
        const auto& part = whole.parts[i];
        command c;
        c.spec = part.spec;
        c.bytes = part.bytes;
        const bool last = i + 1 == whole.parts.size();
        // CLIENT REPLY SKIP is over with the MULTI itself.
        if (i == 1 && reply_mode_ == reply_mode::skip_this) reply_mode_ = reply_mode::on;
        std::uint16_t flags = i == 0 ? std::uint16_t{0} : entry_flag::in_transaction;
        if (whole.repeatable) flags = static_cast<std::uint16_t>(flags | entry_flag::repeatable);
        number = submit(target, c, last && tx ? reply_use::exec : reply_use::forward, flags);
        if (whole.is_observed && !observed_whole) observe_part(target, part, deliveries);
        if (!tx || i == 0 || last) continue;
        if (part.publish_to.empty()) {
            tx->queued();
        } else {
            tx->queued_publish(part.kind, std::string(part.publish_to));
        }
    }
    if (observed_whole) observe_whole(target, whole);
    if (tx) {
        extra& more = extras_[number];
        more.tx = std::move(tx);
        more.publishes = true;
        ++publishing_;
    }
    ++shard_.stats.count.whole_transactions;
}

session::step session::in_transaction(const command& c) {
    const verb id = c.spec->id;
    if (id == verb::reset) return run_reset();
    if (id == verb::quit) return run_quit();
    if (id == verb::exec || id == verb::discard) {
        const bool exec = id == verb::exec;
        if (exec && tx_->publishes() &&
            shard_.process.registry.must_wait_for_any(shard_.upstream_of(database_).index, shard_.index,
                                                      fence_ticket_))
            return wait_for_subscription();
        auto tx = std::move(tx_);
        watching_ = false;
        lease_ends_ = true;
        const std::uint32_t number =
            submit(*lease_, c, exec && !tx->untouched() ? reply_use::exec : reply_use::sticky);
        if (exec && !tx->untouched()) {
            extras_[number].publishes = tx->publishes();
            if (tx->publishes()) ++publishing_;
            extras_[number].tx = std::move(tx);
        }
        return step::consumed;
    }
    if (id == verb::multi || id == verb::watch) return forward_on(*lease_, c, reply_use::queued);
    if (is_subscription(id))
        return poison(c, "ERR " + std::string(c.spec->name) +
                             " inside MULTI is not possible through "
                             "the sidecar");
    if (c.sub != nullptr && c.sub->name == "script|debug")
        return poison(c, "ERR SCRIPT DEBUG must be called outside a pipeline");
    if (id == verb::monitor || id == verb::psync || id == verb::sync || id == verb::sidecar ||
        id == verb::channel)
        return poison(c, "ERR " + std::string(c.spec->name) + " is not allowed in transactions");
    if (id == verb::copy && role() != link_role::full)
        return poison(c, "ERR COPY inside MULTI is not possible under the sidecar's strict policy");
    if (id == verb::select) {
        const auto index = resp::parse_number(c.args[1]);
        const auto why = shard_.settings().rules.check_select(c.args[1]);
        if (why && index && shard_.settings().rules.mode() != policy_mode::open) return poison(c, why->error);
        if (!why && *index != database_ && role() != link_role::full)
            return poison(c, "ERR SELECT of another db inside MULTI is refused by the sidecar's policy");
        if (!why && role() == link_role::full) {
            // Redis itself changes the db of this connection, which is never used again afterwards.
            lease_tainted_ = true;
            tx_->queued_placeholder({"SELECT", std::string(c.args[1])});
            return forward_on(*lease_, c, reply_use::queued);
        }
        if (why) {
            tx_->queued();
            return forward_on(*lease_, c, reply_use::queued);
        }
    }
    if (is_local(id, c.sub)) {
        const std::string_view sub = c.sub != nullptr ? c.sub->name : std::string_view{};
        if (sub == "client|reply" || sub == "client|tracking" || sub == "client|list" ||
            sub == "client|kill" || sub == "client|unblock" || sub == "client|caching")
            return poison(c, "ERR " + std::string(sub) + " inside MULTI is not possible through the sidecar");
        if (id == verb::client &&
            (sub.empty() || sub == "client|help" || sub == "client|getredir" ||
             sub == "client|trackinginfo" || sub == "client|pause" || sub == "client|unpause")) {
            tx_->queued();
            return forward_on(*lease_, c, reply_use::queued);
        }
        if (id == verb::hello && c.args.size() > 1 && c.args[1] != std::to_string(protocol_))
            return poison(
                c,
                "ERR HELLO with another protocol version inside MULTI is not possible through the sidecar");
        tx_->queued_placeholder({c.args.begin(), c.args.end()});
        const std::string placeholder = resp::command({"ECHO", "sidecar"});
        command echo = c;
        echo.bytes = placeholder;
        return forward_on(*lease_, echo, reply_use::queued);
    }
    if (id == verb::publish || id == verb::spublish) {
        const auto kind =
            id == verb::publish ? channels::name_kind::channel : channels::name_kind::shard_channel;
        tx_->queued_publish(kind, std::string(c.args[1]));
    } else {
        tx_->queued();
    }
    const std::string bytes = observed(*c.spec) ? diverted(c) : std::string();
    if (bytes.empty()) return forward_on(*lease_, c, reply_use::queued);
    command elsewhere = c;
    elsewhere.bytes = bytes;
    elsewhere.args = {};  // what it was to do is not told
    return forward_on(*lease_, elsewhere, reply_use::queued);
}

// The client sees our words; upstream sees a command it must refuse as well, so that EXEC aborts.
session::step session::poison(const command& c, std::string_view error) {
    static const std::string provocation = resp::command({"GET"});
    tx_dirty_ = true;
    command bad = c;
    bad.bytes = provocation;
    const std::uint32_t number = submit(*lease_, bad, reply_use::poison);
    resp::append_error(extras_[number].text, error);
    return step::consumed;
}

std::string session::finish_exec(const extra& x) {
    if (!x.tx) return x.reply;
    transaction::rewriter with;
    with.run_local = [this](const std::vector<std::string>& words) {
        const std::vector<std::string_view> args(words.begin(), words.end());
        return run_local(args);
    };
    with.correct_publish = [this](channels::name_kind kind, std::string_view channel,
                                  std::string_view count) { return correct_publish(kind, channel, count); };
    return x.tx->rewrite(x.reply, with);
}

std::string session::correct_publish(channels::name_kind kind, std::string_view channel,
                                     std::string_view reply) const {
    if (reply.size() < 4 || reply.front() != ':') return std::string(reply);
    const auto count = resp::parse_number(reply.substr(1, reply.size() - 3));
    if (!count) return std::string(reply);
    const int at = shard_.upstream_of(database_).index;
    std::string out;
    resp::append_integer(out, shard_.process.registry.receivers(at, kind, channel, *count));
    return out;
}

}  // namespace sidecar
