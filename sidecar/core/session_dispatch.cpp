// Which way a command goes.
#include <algorithm>

#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/text_case.hpp"

namespace sidecar {

namespace {

// It would take the connection over, which is everybody's.
bool starts_debugger(const command_spec* sub, std::span<const std::string_view> args) {
    if (sub == nullptr || sub->name != "script|debug" || args.size() < 3) return false;
    const std::string mode = upper(args[2]);
    return mode == "YES" || mode == "SYNC";
}

bool allowed_while_subscribed(verb id) {
    return is_subscription(id) || id == verb::ping || id == verb::quit || id == verb::reset;
}

}  // namespace

// True as long as nothing but the table has to be asked before a plain command goes on the shared link. Holds
// until something else than a plain command is handled.
bool session::may_go_express() const {
    return authenticated_ && tx_ == nullptr && lease_ == nullptr && subs_ == nullptr && !bulk_ &&
           reply_mode_ == reply_mode::on && user_->unlimited() && link_ != nullptr &&
           served_by_user_ == user_ && link_->ready() && !link_->retired() && !link_->retire_when_idle;
}

// The short way of a plain command; false: it has to take the long one.
bool session::forward_plain(const resp::scanned_command& scanned, std::string_view frame) {
    const command_spec* spec =
        scanned.is_inline || scanned.args[0].empty() ? nullptr : shard_.commands.find_framed(scanned.args[0]);
    if (spec == nullptr || !spec->has(command_flag::plain)) return false;
    enum class told : std::uint8_t { no, as_it_stands, yes } is_told = told::no;
    if (spec->has(command_flag::guarded | command_flag::watched)) {
        if (spec->has(command_flag::guarded) && shard_.guards(database_)) return false;
        if (spec->has(command_flag::recorded) && announced_ && shard_.records_plainly(database_)) {
            is_told = told::as_it_stands;
        } else if (observed(*spec)) {
            if (must_steer(*spec)) return false;
            is_told = told::yes;
        }
    }
    upstream_entry entry;
    entry.owner = this;
    entry.number = pipeline_.issue();
    entry.submitted_us = shard_.now_us();
    entry.command = spec->index;
    entry.database = database_;
    if (spec->has(command_flag::readonly)) entry.flags = entry_flag::readonly;
    ++entries_;
    unanswered_bytes_ += frame.size();
    ++shard_.stats.of(database_, spec->index).calls;
    link_->submit(entry, frame);
    if (is_told == told::no) [[likely]] {
        // Most commands tell nothing.
    } else if (is_told == told::as_it_stands) {
        shard_.tap.record(link_->queue(), {id_, shard_.unix_time_us(), database_},
                          broker::command_record::part::alone, static_cast<std::uint32_t>(frame.size()));
    } else if (is_told == told::yes) {
        observe(*link_, *spec, scanned.args);
    }
    waiting_for_ = stall::none;
    last_command_at_ = shard_.now();
    last_command_ = spec;
    return true;
}

session::step session::dispatch(const resp::scanned_command& scanned, std::string_view frame) {
    command c;
    c.args = scanned.args;
    c.argument_count = scanned.argument_count;
    c.bytes = frame;
    if (scanned.is_inline) {
        shard_.scratch.clear();
        resp::append_command(shard_.scratch, c.args);
        c.bytes = shard_.scratch;
    }
    c.spec = shard_.commands.find(c.args[0]);
    if (c.spec != nullptr && c.spec->has(command_flag::container) && c.args.size() > 1)
        c.sub = shard_.commands.find_sub(*c.spec, c.args[1]);
    const step result = c.spec == nullptr ? unknown_command(c.args) : dispatch_by_name(c);
    if (result == step::consumed) {
        if (c.spec != nullptr && observed(*c.spec) && !broker::tells_itself(c.spec->traffic))
            observe_local(c);
        waiting_for_ = stall::none;
        last_command_at_ = shard_.now();
        last_command_ = c.sub != nullptr ? c.sub : c.spec;
        if (reply_mode_ == reply_mode::skip_this) {
            reply_mode_ = reply_mode::on;
        } else if (reply_mode_ == reply_mode::skip_next) {
            reply_mode_ = reply_mode::skip_this;
        }
    }
    return result;
}

session::step session::dispatch_by_name(const command& c) {
    const command_spec& spec = *c.spec;
    // The common case first: a data command of an authenticated client in no special state.
    if (spec.has(command_flag::plain) && authenticated_ && tx_ == nullptr && lease_ == nullptr &&
        !subscribed() && user_->unlimited() &&
        !(spec.has(command_flag::guarded) && shard_.guards(database_)) &&
        !(observed(spec) && must_steer(spec)))
        return forward(c);
    return dispatch_special(c);
}

session::step session::dispatch_special(const command& c) {
    const command_spec& spec = *c.spec;
    if (spec.id == verb::security_trap) {
        shard_.log('w', "possible cross-protocol attack",
                   {{"client", std::to_string(id_)}, {"addr", address_.remote}});
        close_now("HTTP words on a Redis port");
        return step::consumed;
    }
    const bool known_shape =
        spec.arity_fits(c.argument_count) && (c.sub == nullptr || c.sub->arity_fits(c.argument_count));
    const bool out_of_place = protocol_ == 2 && subscribed() && !allowed_while_subscribed(spec.id);
    // Otherwise upstream words it.
    if ((!authenticated_ || out_of_place) && spec.has(command_flag::container) && c.args.size() > 1 &&
        c.sub == nullptr)
        return reject(c, "ERR unknown subcommand '" + std::string(c.args[1].substr(0, 128)) + "'. Try " +
                             upper(spec.name) + " HELP.");
    if (!authenticated_ && !spec.has(command_flag::no_auth)) {
        if (!known_shape) return wrong_arity(c);
        return reject(c, "NOAUTH Authentication required.");
    }
    if (!known_shape && !spec.has(command_flag::local)) return wrong_arity(c);
    // Only so many arguments are looked at: a command judged by its arguments may not have more.
    if (c.args.size() < c.argument_count) return reject(c, "ERR too many arguments for the sidecar to check");
    if (const auto why = judge(c)) return refuse(c, *why);
    if (out_of_place)
        return reject(c, "ERR Can't execute '" + std::string(c.sub != nullptr ? c.sub->name : spec.name) +
                             "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
                             "this context");
    if (tx_ != nullptr) return in_transaction(c);
    if (spec.has(command_flag::guarded))
        if (const auto done = guard(c)) return *done;
    if (observed(spec) && must_steer(spec))
        if (const auto done = steer(c)) return *done;
    switch (spec.id) {
        case verb::auth:
        case verb::hello:
        case verb::select:
            return local_command(c);
        case verb::reset:
            return run_reset();
        case verb::quit:
            return run_quit();
        case verb::client:
            return client_command(c);
        case verb::sidecar:
            return console(c);
        case verb::channel:
            return channel_command(c);
        case verb::acl:
            if (c.sub != nullptr && c.sub->name == "acl|whoami") return local_command(c);
            return forward(c);
        case verb::info:
            if (c.args.size() == 2 && (c.args[1] == "sidecar" || c.args[1] == "SIDECAR"))
                return info_sidecar();
            return forward(c);
        case verb::multi:
            return start_transaction(c);
        case verb::exec:
            reply_error("ERR EXEC without MULTI");
            return step::consumed;
        case verb::discard:
            reply_error("ERR DISCARD without MULTI");
            return step::consumed;
        case verb::watch:
            return with_lease(c, role(), false);
        case verb::unwatch:
            if (lease_ != nullptr && watching_) {
                lease_ends_ = true;
                watching_ = false;
                return forward_on(*lease_, c, reply_use::sticky);
            }
            return local_command(c);
        case verb::subscribe:
            return subscribe(c, channels::name_kind::channel);
        case verb::psubscribe:
            return subscribe(c, channels::name_kind::pattern);
        case verb::ssubscribe:
            return subscribe(c, channels::name_kind::shard_channel);
        case verb::unsubscribe:
            return unsubscribe(c, channels::name_kind::channel);
        case verb::punsubscribe:
            return unsubscribe(c, channels::name_kind::pattern);
        case verb::sunsubscribe:
            return unsubscribe(c, channels::name_kind::shard_channel);
        case verb::publish:
            return publish(c, channels::name_kind::channel);
        case verb::spublish:
            return publish(c, channels::name_kind::shard_channel);
        case verb::pubsub:
            return pubsub_query(c);
        case verb::ping:
            if (protocol_ == 2 && subscribed()) return ping_subscribed(c);
            return forward(c);
        case verb::wait:
        case verb::waitaof:
            return wait_command(c);
        case verb::copy:
            // The confined user may not COPY, which could cross dbs; checked here, a plain one runs as the
            // full user.
            if (role() == link_role::full) return forward(c);
            return with_lease(c, link_role::full, true);
        case verb::eval:
        case verb::evalsha:
        case verb::fcall:
            return script_fence(c);
        case verb::script:
            if (starts_debugger(c.sub, c.args)) {
                reply_error("ERR SCRIPT DEBUG must be called outside a pipeline");
                return step::consumed;
            }
            [[fallthrough]];
        case verb::function:
            if (c.sub != nullptr &&
                (c.sub->name == "script|kill" || c.sub->name == "function|kill" ||
                 (c.sub->name == "function|stats" && !shard_.upstream_of(database_).busy.empty())))
                return forward_control(c);
            return forward(c);
        case verb::monitor:
            streaming_ = true;
            return with_lease(c, link_role::full, false);
        case verb::psync:
        case verb::sync:
        case verb::replconf:
            reply_error("ERR replication does not go through the sidecar");
            return step::consumed;
        case verb::readonly:
        case verb::readwrite:
        case verb::asking:
            return forward(c);
        default:
            break;
    }
    if (spec.has(command_flag::blocking)) return blocking_command(c);
    return forward(c);
}

std::optional<refusal> session::judge(const command& c) {
    if (control() || (c.spec->has(command_flag::unjudged) && user_->unlimited())) return std::nullopt;
    const auto& rules = shard_.settings().rules;
    auto why = rules.check(database_, *user_, *c.spec, c.sub, c.args);
    if (!why) return std::nullopt;
    if (!why->rule.empty()) shard_.stats.refused(why->rule, database_);
    if (rules.mode() == policy_mode::audit && why->scope == refusal_scope::split) {
        shard_.log('i', "policy would refuse",
                   {{"client", std::to_string(id_)},
                    {"addr", address_.remote},
                    {"db", std::to_string(database_)},
                    {"command", std::string(c.spec->name)},
                    {"rule", std::string(why->rule)}});
        return std::nullopt;
    }
    return why;
}

session::step session::refuse(const command& c, const refusal& why) {
    ++shard_.stats.of(database_, c.spec->index).calls;
    ++shard_.stats.of(database_, c.spec->index).errors;
    shard_.log('w', "policy refused",
               {{"client", std::to_string(id_)},
                {"addr", address_.remote},
                {"db", std::to_string(database_)},
                {"command", std::string(c.spec->name)},
                {"rule", std::string(why.rule)}});
    return reject(c, why.error);
}

link_role session::role_of(const user& who) const {
    if (control()) return link_role::full;
    if (who.readonly) return link_role::confined_readonly;
    return shard_.settings().rules.mode() == policy_mode::strict ? link_role::confined : link_role::full;
}

// The shared link for the session as it is now; changing links needs everything in flight to be answered.
// nullptr: the session now waits for that.
link* session::main_link() {
    if (link_ != nullptr && served_by_user_ == user_ && !bulk_ && !link_->retired() &&
        !link_->retire_when_idle)
        return link_;
    const auto lane = bulk_ ? link_lane::bulk : link_lane::main;
    link& chosen = shard_.shared_link(shard_.key_for(database_, protocol_, role(), lane));
    if (link_ != &chosen && entries_ > 0) return nullptr;
    link_ = &chosen;
    served_by_user_ = user_;
    return link_;
}

session::step session::forward(const command& c, reply_use use) {
    if (lease_ != nullptr) {
        if (lease_ends_) {
            if (entries_ > 0) return wait_for(stall::drain);
            reconsider_lease();
            if (lease_ != nullptr) return forward_on(*lease_, c, use);
        } else {
            return forward_on(*lease_, c, use);
        }
    }
    link* target = main_link();
    if (target == nullptr) return wait_for(stall::drain);
    return forward_on(*target, c, use);
}

session::step session::forward_on(link& target, const command& c, reply_use use) {
    if (!target.ready()) {
        switch (shard_.hold_of(target)) {
            case hold_state::open:
                break;
            case hold_state::refused:
                reply_error("WRONGPASS upstream refused the sidecar's password");
                return step::consumed;
            case hold_state::expired:
                if (const auto& busy = shard_.upstream_of(database_).busy; !busy.empty()) {
                    reply_error(busy);
                    return step::consumed;
                }
                ++shard_.stats.count.clients_closed_hold;
                end_input();
                return step::consumed;
        }
    }
    submit(target, c, use);
    return step::consumed;
}

std::uint32_t session::submit(link& target, const command& c, reply_use use, std::uint16_t flags) {
    upstream_entry entry;
    entry.owner = this;
    entry.number = pipeline_.issue();
    entry.command = c.spec->index;
    entry.database = database_;
    entry.submitted_us = shard_.now_us();
    entry.use = use;
    entry.flags = flags;
    if (c.spec->has(command_flag::readonly)) entry.flags |= entry_flag::readonly;
    if (c.sub != nullptr && c.sub->name == "client|tracking" && !tracking_)
        entry.flags |= entry_flag::starts_tracking;
    if (reply_mode_ != reply_mode::on) entry.flags |= entry_flag::silent;
    ++entries_;
    unanswered_bytes_ += c.bytes.size();
    ++shard_.stats.of(database_, c.spec->index).calls;
    target.submit(entry, c.bytes);
    if (observed(*c.spec) && !c.args.empty()) observe(target, *c.spec, c.args);
    return entry.number;
}

// For commands that must not queue behind the one they are meant to end.
session::step session::forward_control(const command& c) {
    if (entries_ > 0 && tx_ == nullptr && lease_ != nullptr) return wait_for(stall::drain);
    link* control = shard_.upstream_of(database_).control;
    return forward_on(*control, c, reply_use::forward);
}

session::step session::unknown_command(args_view args) {
    // Upstream words the error itself, unless the client may not reach it yet.
    if (authenticated_ && !(protocol_ == 2 && subscribed())) {
        command c;
        c.args = args;
        static const command_spec unknown{.name = "unknown"};
        c.spec = &unknown;
        std::string bytes;
        resp::append_command(bytes, args);
        c.bytes = bytes;
        if (const auto why = judge(c)) return refuse(c, *why);
        if (tx_ == nullptr) return forward(c);
        tx_->queued();
        return forward_on(*lease_, c, reply_use::queued);
    }
    constexpr std::size_t shown_max = 128;
    std::string shown;
    for (std::size_t i = 1; i < args.size() && shown.size() < shown_max; ++i)
        shown += "'" + std::string(args[i].substr(0, shown_max - shown.size())) + "' ";
    reply_error("ERR unknown command '" + std::string(args[0].substr(0, shown_max)) +
                "', with args beginning with: " + shown);
    return step::consumed;
}

session::step session::wrong_arity(const command& c) {
    const auto& spec = c.sub != nullptr && c.spec->arity_fits(c.argument_count) ? *c.sub : *c.spec;
    const std::string error = "ERR wrong number of arguments for '" + std::string(spec.name) + "' command";
    ++shard_.stats.of(database_, c.spec->index).calls;
    ++shard_.stats.of(database_, c.spec->index).errors;
    return reject(c, error);
}

// An error before the command is looked at closer, as Redis rejects one: inside MULTI it makes EXEC abort,
// and a rejected EXEC ends the transaction itself, and what is watched.
session::step session::reject(const command& c, std::string_view error) {
    if (c.spec->id != verb::exec) {
        if (tx_ != nullptr) return poison(c, error);
        reply_error(error);
        return step::consumed;
    }
    const bool plain = error.substr(0, 4) == "ERR ";
    const std::string text =
        "EXECABORT Transaction discarded because of: " + std::string(plain ? error.substr(4) : error);
    if (tx_ == nullptr && !watching_) {
        reply_error(text);
        return step::consumed;
    }
    const std::string ending = resp::command({tx_ != nullptr ? "DISCARD" : "UNWATCH"});
    forget_transaction();
    watching_ = false;
    lease_ends_ = true;
    command end = c;
    end.bytes = ending;
    const std::uint32_t number = submit(*lease_, end, reply_use::poison);
    resp::append_error(extras_[number].text, text);
    return step::consumed;
}

}  // namespace sidecar
