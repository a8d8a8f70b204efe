#include "sidecar/core/policy.hpp"

#include <strings.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "channels/name_ownership.hpp"
#include "resp/glob.hpp"
#include "resp/number.hpp"

namespace sidecar {
namespace {

using arguments = std::span<const std::string_view>;
using verdict = std::optional<refusal>;

constexpr std::uint32_t restricted = command_flag::admin | command_flag::dangerous;

// They read, change or replace keys of other dbs.
constexpr std::array<std::string_view, 7> crossing{"move",      "swapdb",  "flushall", "migrate",
                                                   "replicaof", "slaveof", "failover"};

// Of @admin and @dangerous, what every db may run; the session answers the CLIENT ones for its own clients.
constexpr std::array<std::string_view, 9> harmless{"info",        "lastsave",        "role",
                                                   "sort",        "sort_ro",         "client|list",
                                                   "client|kill", "client|no-evict", "client|unblock"};

// Settings whose values are secrets, under the names of Redis and of Valkey.
constexpr std::array<std::string_view, 7> secret_settings{"requirepass",
                                                          "masterauth",
                                                          "masteruser",
                                                          "primaryauth",
                                                          "primaryuser",
                                                          "tls-key-file-pass",
                                                          "tls-client-key-file-pass"};

template <typename Names>
bool contains(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool same_word(std::string_view a, std::string_view b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

refusal refused_command(std::string_view rule, std::string_view name,
                        refusal_scope scope = refusal_scope::split) {
    std::string error = "NOPERM this user has no permissions to run the '";
    error.append(name).append("' command (sidecar policy: ").append(rule).append(")");
    return {rule, std::move(error), scope};
}

refusal refused_channel() {
    return {"channel",
            "NOPERM this user has no permissions to access one of the channels used as arguments (sidecar "
            "policy: channel)"};
}

bool shows_secret(std::string_view pattern) {
    std::string lowered(pattern);
    for (char& c : lowered) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    return std::any_of(secret_settings.begin(), secret_settings.end(),
                       [&](std::string_view name) { return resp::glob_match(lowered, name); });
}

// A DB argument that is not a number is left to Redis, which refuses it in its own words.
bool copies_elsewhere(int db, arguments args) {
    for (std::size_t i = 3; i + 1 < args.size(); ++i) {
        if (!same_word(args[i], "db")) continue;
        const auto target = resp::parse_number(args[++i]);
        if (target && *target != db) return true;
    }
    return false;
}

verdict check_channels(int db, verb id, arguments args) {
    const bool publishes = id == verb::publish || id == verb::spublish;
    const auto names =
        args.subspan(1, publishes ? std::min<std::size_t>(1, args.size() - 1) : args.size() - 1);
    const bool allowed = std::all_of(names.begin(), names.end(), [&](std::string_view name) {
        return id == verb::psubscribe ? channels::may_subscribe_pattern(db, name)
                                      : channels::may_use(db, name);
    });
    return allowed ? verdict{} : refused_channel();
}

// What a user's own settings say, whatever the mode.
verdict check_user(int db, const user& who, const command_spec& spec, const command_spec* sub) {
    const std::uint32_t flags = spec.flags | (sub != nullptr ? sub->flags : 0);
    const std::string_view name = sub != nullptr ? sub->name : spec.name;
    const bool data = (flags & (command_flag::connection | command_flag::no_auth | command_flag::local)) == 0;
    const bool db_allowed = db >= 0 && db < 32 && (who.database_mask >> db & 1U) != 0;
    if (data && !db_allowed) return refused_command("user-db", name, refusal_scope::user);
    if (who.readonly && (flags & command_flag::write) != 0) {
        return refused_command("user-readonly", name, refusal_scope::user);
    }
    return std::nullopt;
}

// Commands of @admin and @dangerous that no rule of their own allows.
verdict check_restricted(int db, const command_spec& command, arguments args) {
    const std::string_view name = command.name;
    if (contains(harmless, name)) return std::nullopt;
    if (name == "flushdb" || name == "keys") {
        const std::string_view rule = name == "flushdb" ? "flushdb" : "keys";
        return db == 0 ? verdict{} : refused_command(rule, name);
    }
    if (name == "config|get") {
        const auto patterns = args.subspan(std::min<std::size_t>(2, args.size()));
        const bool secret = std::any_of(patterns.begin(), patterns.end(), shows_secret);
        return secret ? verdict(refused_command("config-secret", name)) : std::nullopt;
    }
    return refused_command(command.has(command_flag::admin) ? "admin" : "dangerous", name);
}

}  // namespace

policy::policy(policy_mode mode, int databases_when_open)
    : mode_(mode), databases_when_open_(databases_when_open) {}

bool policy::must_check(const command_spec& spec) const {
    if (mode_ == policy_mode::open) return false;
    switch (spec.id) {
        case verb::copy:
        case verb::publish:
        case verb::spublish:
        case verb::subscribe:
        case verb::psubscribe:
        case verb::ssubscribe:
            return true;
        default:
            return spec.has(restricted | command_flag::container) || contains(crossing, spec.name);
    }
}

verdict policy::check(int db, const user& who, const command_spec& spec, const command_spec* sub,
                      arguments args) const {
    if (auto limited = check_user(db, who, spec, sub)) return limited;
    if (!must_check(spec)) return std::nullopt;
    const command_spec& command = sub != nullptr ? *sub : spec;
    switch (spec.id) {
        case verb::publish:
        case verb::spublish:
        case verb::subscribe:
        case verb::psubscribe:
        case verb::ssubscribe:
            return args.empty() ? verdict{} : check_channels(db, spec.id, args);
        case verb::copy:
            return copies_elsewhere(db, args) ? verdict(refused_command("cross-db", "copy")) : std::nullopt;
        default:
            break;
    }
    if (contains(crossing, command.name)) return refused_command("cross-db", command.name);
    // A debugger would take over a connection that others share.
    if (command.name == "script|debug") return refused_command("script-debug", command.name);
    return command.has(restricted) ? check_restricted(db, command, args) : std::nullopt;
}

verdict policy::check_select(std::string_view index) const {
    const auto number = resp::parse_number(index);
    if (!number) return refusal{"", "ERR value is not an integer or out of range"};
    if (*number < INT32_MIN || *number > INT32_MAX) {
        return refusal{"", "ERR value is out of range, value must between -2147483648 and 2147483647"};
    }
    const int databases = mode_ == policy_mode::open ? databases_when_open_ : database_count;
    if (*number >= 0 && *number < databases) return std::nullopt;
    const bool upstream_has_it = *number >= 0 && *number < databases_when_open_;
    return refusal{upstream_has_it ? "select" : "", "ERR DB index is out of range"};
}

std::vector<std::string> policy::upstream_acl_rules(int db, bool readonly) const {
    if (mode_ != policy_mode::strict) {
        if (!readonly) return {};
        return {"reset", "on", "~*", "&*", "+@all", "-@write"};
    }
    std::vector<std::string> rules{"reset", "on", "~*", "resetchannels"};
    for (const std::string& pattern : channels::allowed_patterns(db)) rules.push_back('&' + pattern);
    // Whole categories first, so that commands of a later Redis are denied too; then what check() allows.
    for (const char* rule : {"+@all", "-@admin", "-@dangerous", "-select", "-move", "-copy", "-script|debug",
                             "+info", "+lastsave", "+role", "+sort", "+sort_ro", "+config|get", "+client",
                             "-client|pause", "-client|unpause"}) {
        rules.emplace_back(rule);
    }
    // KEYS for scripts: channels_redis empties its layer with one. Typed by a client it is judged by check().
    rules.emplace_back("+keys");
    if (db == 0) rules.emplace_back("+flushdb");
    // Last, because it must also take away writes allowed above.
    if (readonly) rules.emplace_back("-@write");
    rules.emplace_back("(~* &* +subscribe +psubscribe +ssubscribe)");
    return rules;
}

}  // namespace sidecar
