// Commands about the connection itself, answered from the session's own state: AUTH, HELLO, SELECT, RESET,
// QUIT, CLIENT.
#include <algorithm>

#include "resp/number.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/text_case.hpp"

namespace sidecar {

namespace {

constexpr std::uint32_t auth_failures_max = 100;  // then the connection is closed

constexpr std::string_view wrong_password = "WRONGPASS invalid username-password pair or user is disabled.";

bool printable(std::string_view name) {
    return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

std::string error(std::string_view text) {
    std::string out;
    resp::append_error(out, text);
    return out;
}

constexpr std::string_view ok = "+OK\r\n";

}  // namespace

session::step session::local_command(const command& c) {
    if (lease_ != nullptr && lease_ends_) {
        // A transaction's EXEC may change what is asked here.
        if (entries_ > 0) return wait_for(stall::drain);
        reconsider_lease();
    }
    // Where later commands go may change: everything before must have been answered by the old place.
    if (entries_ > 0 && (c.spec->id == verb::select || c.spec->id == verb::hello)) {
        const bool pure = c.spec->id == verb::hello && c.args.size() == 1;
        if (!pure) return wait_for(stall::drain);
    }
    if (lease_ != nullptr && c.spec->id == verb::select) {
        if (role() == link_role::full) {
            const std::string answer = run_select(c.args);
            if (answer.front() == '-') {
                reply(answer);
                return step::consumed;
            }
            lease_tainted_ = true;
            return forward_on(*lease_, c, reply_use::sticky);
        }
        if (leads_elsewhere(c.args[1])) {
            reply_error("ERR SELECT is not possible while keys are watched or tracked through the sidecar");
            return step::consumed;
        }
    }
    ++shard_.stats.of(database_, c.spec->index).calls;
    ++shard_.stats.count.local_commands;
    reply(run_local(c.args));
    return step::consumed;
}

std::string session::run_local(args_view args) {
    const auto* spec = shard_.commands.find(args[0]);
    switch (spec == nullptr ? verb::other : spec->id) {
        case verb::auth:
            return run_auth(args);
        case verb::hello:
            return run_hello(args);
        case verb::select:
            return run_select(args);
        case verb::client:
            return run_client(args);
        case verb::acl: {
            std::string out;
            resp::append_bulk(out, user_->name);
            return out;
        }
        case verb::unwatch:
            return std::string(ok);
        default:
            return error("ERR not possible here");
    }
}

void session::become(const user& who) {
    user_ = &who;
    authenticated_ = true;
    if (!stranger()) shard_.strangers.remove(id_);
}

void session::on_handshake_done() {
    in_handshake_ = false;
    if (!stranger()) shard_.strangers.remove(id_);
}

void session::on_reload() {
    if (control()) return;
    const user* fresh = shard_.settings().users.find(user_->name);
    if (fresh == nullptr) return close_now("user was removed");
    const bool must_change = user_ != fresh;
    user_ = fresh;
    if (must_change) served_by_user_ = nullptr;
    if (shard_.settings().users.open_to_all()) authenticated_ = true;
}

// nullopt: done; otherwise what to answer.
std::optional<std::string> session::authenticate(std::string_view name, std::string_view password) {
    const user* who = shard_.settings().users.authenticate(name, password);
    if (who != nullptr) {
        // What is watched stays with its upstream connection, whose rights are those of the old user.
        if (lease_ != nullptr && !lease_ends_ && role_of(*who) != role())
            return error(
                "ERR AUTH as a user with other rights is not possible while keys are watched or tracked "
                "through the sidecar");
        become(*who);
        return std::nullopt;
    }
    ++shard_.stats.count.auth_failures;
    if (++auth_failures_ >= auth_failures_max) {
        ++shard_.stats.count.clients_closed_auth_flood;
        end_input();
    }
    shard_.log('w', "authentication failed",
               {{"client", std::to_string(id_)},
                {"addr", address_.remote},
                {"user", std::string(name.substr(0, 64))}});
    return error(wrong_password);
}

std::string session::run_auth(args_view args) {
    if (args.size() > 3) return error("ERR syntax error");
    if (args.size() == 2 && shard_.settings().users.open_to_all())
        return error(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure "
            "your "
            "configuration is correct?");
    const auto refused = args.size() == 2 ? authenticate("default", args[1]) : authenticate(args[1], args[2]);
    return refused.value_or(std::string(ok));
}

std::string session::run_hello(args_view args) {
    int version = 0;
    if (args.size() > 1) {
        const auto number = resp::parse_number(args[1]);
        if (!number) return error("ERR Protocol version is not an integer or out of range");
        if (*number < 2 || *number > 3) return error("NOPROTO unsupported protocol version");
        version = static_cast<int>(*number);
    }
    for (std::size_t i = 2; i < args.size(); ++i) {
        const std::size_t more = args.size() - 1 - i;
        if (equals_ignoring_case(args[i], "auth") && more >= 2) {
            if (const auto refused = authenticate(args[i + 1], args[i + 2])) return *refused;
            i += 2;
        } else if (equals_ignoring_case(args[i], "setname") && more >= 1) {
            if (!printable(args[i + 1]))
                return error("ERR Client names cannot contain spaces, newlines or special characters.");
            name_ = args[++i];
        } else {
            return error("ERR Syntax error in HELLO option '" + std::string(args[i]) + "'");
        }
    }
    if (!authenticated_)
        return error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO " +
            std::string(upstream_is_at_least("7.2") ? "<proto> " : "") +
            "AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol "
            "version at the same time");
    if (version != 0 && version != protocol_) {
        protocol_ = static_cast<std::uint8_t>(version);
        link_ = nullptr;
        if (lease_ != nullptr) {
            // What is watched or tracked goes on, in the new version.
            upstream_entry own;
            own.submitted_us = shard_.now_us();
            own.use = reply_use::internal;
            lease_->submit(own, resp::command({"HELLO", std::to_string(version)}));
            lease_tainted_ = true;
        }
    }
    return hello_reply();
}

bool session::upstream_is_at_least(std::string_view version) const {
    const std::string& actual = shard_.upstream_of(database_).version;
    const auto major = [](std::string_view v) { return std::atoi(std::string(v).c_str()); };
    const auto minor = [](std::string_view v) {
        return std::atoi(std::string(v.substr(v.find('.') + 1)).c_str());
    };
    return std::pair(major(actual), minor(actual)) >= std::pair(major(version), minor(version));
}

std::string session::hello_reply() const {
    const std::string& version = shard_.upstream_of(database_).version;
    std::string out;
    resp::append_map_header(out, 7, protocol_);
    resp::append_bulk(out, "server");
    resp::append_bulk(out, "redis");
    resp::append_bulk(out, "version");
    resp::append_bulk(out, version.empty() ? "7.0.0" : version);
    resp::append_bulk(out, "proto");
    resp::append_integer(out, protocol_);
    resp::append_bulk(out, "id");
    resp::append_integer(out, static_cast<std::int64_t>(id_));
    resp::append_bulk(out, "mode");
    resp::append_bulk(out, "standalone");
    resp::append_bulk(out, "role");
    resp::append_bulk(out, "master");
    resp::append_bulk(out, "modules");
    resp::append_array_header(out, 0);
    return out;
}

std::string session::run_select(args_view args) {
    if (const auto why = shard_.settings().rules.check_select(args[1])) {
        if (!why->rule.empty()) shard_.stats.refused(why->rule, database_);
        const bool only_counted = shard_.settings().rules.mode() == policy_mode::audit &&
                                  !why->rule.empty() && !policy(policy_mode::open).check_select(args[1]);
        if (!only_counted) return error(why->error);
        shard_.log('i', "policy would refuse",
                   {{"client", std::to_string(id_)},
                    {"addr", address_.remote},
                    {"command", "select"},
                    {"rule", std::string(why->rule)}});
    }
    set_database(static_cast<int>(resp::parse_number(args[1]).value_or(0)));
    return std::string(ok);
}

// Whether SELECT would be granted, and for another db.
bool session::leads_elsewhere(std::string_view db) const {
    const auto& rules = shard_.settings().rules;
    const auto index = resp::parse_number(db);
    const bool granted = !rules.check_select(db) ||
                         (rules.mode() == policy_mode::audit && !policy(policy_mode::open).check_select(db));
    return granted && index && *index != database_;
}

void session::set_database(int db) {
    if (db == database_) return;
    database_ = static_cast<std::uint8_t>(db);
    link_ = nullptr;
}

session::step session::run_reset() {
    if (entries_ > 0) return wait_for(stall::drain);
    forget_transaction();
    watching_ = tracking_ = streaming_ = false;
    if (lease_ != nullptr) end_lease(false);
    unsubscribe_all();
    leave_layer();
    if (protocol_ != 2) {
        protocol_ = 2;
        link_ = nullptr;
    }
    set_database(0);
    name_.clear();
    no_evict_ = no_touch_ = false;
    // A SKIP that concerns RESET itself still does.
    if (reply_mode_ != reply_mode::skip_this) reply_mode_ = reply_mode::on;
    user_ = &shard_.settings().users.default_user();
    authenticated_ = shard_.settings().users.open_to_all();
    reply("+RESET\r\n");
    return step::consumed;
}

session::step session::run_quit() {
    reply(ok);
    tx_.reset();
    end_input();
    return step::consumed;
}

// --- CLIENT

session::step session::client_command(const command& c) {
    const std::string_view sub =
        c.sub != nullptr ? c.sub->name.substr(sizeof("client|") - 1) : std::string_view{};
    if (sub == "list") return client_list(c.args);
    if (sub == "kill") return client_kill(c.args);
    if (sub == "unblock") return client_unblock(c.args);
    if (sub == "reply") return client_reply(c.args);
    if (sub == "tracking") return tracking(c);
    if (sub == "id" || sub == "setname" || sub == "getname" || sub == "setinfo" || sub == "info" ||
        sub == "no-evict" || sub == "no-touch") {
        // These tell of the moment they are reached, which is after what stands before them.
        return local_command(c);
    }
    return forward(c);  // HELP, GETREDIR, TRACKINGINFO, CACHING, PAUSE (open policy) and unknown ones
}

std::string session::run_client(args_view args) {
    const std::string_view sub = args.size() > 1 ? args[1] : std::string_view{};
    std::string out;
    if (equals_ignoring_case(sub, "id")) {
        resp::append_integer(out, static_cast<std::int64_t>(id_));
    } else if (equals_ignoring_case(sub, "getname")) {
        if (name_.empty()) {
            resp::append_null(out, protocol_);
        } else {
            resp::append_bulk(out, name_);
        }
    } else if (equals_ignoring_case(sub, "setname")) {
        if (!printable(args[2]))
            return error("ERR Client names cannot contain spaces, newlines or special characters.");
        name_ = args[2];
        out = ok;
    } else if (equals_ignoring_case(sub, "setinfo")) {
        return set_client_info(args);
    } else if (equals_ignoring_case(sub, "info")) {
        resp::append_verbatim(out, client_list_line("client|info") + "\n", protocol_);
    } else if (equals_ignoring_case(sub, "no-evict") || equals_ignoring_case(sub, "no-touch")) {
        const bool on = equals_ignoring_case(args[2], "on");
        if (!on && !equals_ignoring_case(args[2], "off")) return error("ERR syntax error");
        (equals_ignoring_case(sub, "no-evict") ? no_evict_ : no_touch_) = on;
        out = ok;
    } else {
        return error("ERR not possible inside a transaction");
    }
    return out;
}

std::string session::set_client_info(args_view args) {
    const bool is_name = equals_ignoring_case(args[2], "lib-name");
    if (!is_name && !equals_ignoring_case(args[2], "lib-ver"))
        return error("ERR Unrecognized option '" + std::string(args[2]) + "'");
    if (!printable(args[3]))
        return error("ERR " + std::string(is_name ? "lib-name" : "lib-ver") +
                     " cannot contain spaces, newlines or special characters.");
    (is_name ? library_name_ : library_version_) = args[3];
    return std::string(ok);
}

session::step session::client_reply(args_view args) {
    const std::string_view mode = args.size() > 2 ? args[2] : std::string_view{};
    if (equals_ignoring_case(mode, "on")) {
        reply_mode_ = reply_mode::on;
        reply(ok);
    } else if (equals_ignoring_case(mode, "off")) {
        reply_mode_ = reply_mode::off;
    } else if (equals_ignoring_case(mode, "skip")) {
        if (reply_mode_ != reply_mode::off) reply_mode_ = reply_mode::skip_next;
    } else {
        reply_error("ERR syntax error");
    }
    return step::consumed;
}

// Tracking is state of an upstream connection, so the client gets one of its own for as long as it tracks.
session::step session::tracking(const command& c) {
    // So that tracking_ is what Redis said last: a refused ON leaves it as it was.
    if (lease_ != nullptr && entries_ > 0) return wait_for(stall::drain);
    const bool on = c.args.size() > 2 && equals_ignoring_case(c.args[2], "on");
    bool broadcast = false;
    for (std::size_t i = 3; i < c.args.size(); ++i) {
        if (equals_ignoring_case(c.args[i], "prefix"))
            ++i;  // the prefix is no option
        else if (equals_ignoring_case(c.args[i], "bcast"))
            broadcast = true;
        else if (on && equals_ignoring_case(c.args[i], "redirect")) {
            reply_error("ERR CLIENT TRACKING with REDIRECT is not possible through the sidecar: use RESP3");
            return step::consumed;
        }
    }
    if (!on) {
        const bool off = c.args.size() == 3 && equals_ignoring_case(c.args[2], "off");
        if (off && (lease_ == nullptr || !tracking_)) {
            reply(ok);
            return step::consumed;
        }
        if (!off) return forward(c);  // Redis words the error
        tracking_ = false;
        if (!watching_) lease_ends_ = true;
        lease_tainted_ = true;
        return forward_on(*lease_, c, reply_use::sticky);
    }
    const step result = with_lease(c, role(), false);
    if (result == step::consumed && lease_ != nullptr) {
        if (!tracking_) tracking_broadcast_ = broadcast;  // Redis changes it only between OFF and ON
        tracking_ = true;
        lease_tainted_ = true;
    }
    return result;
}

}  // namespace sidecar
