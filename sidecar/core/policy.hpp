#pragma once
// What a client may do (design §4): the db0/db1/db2 split, refused command classes, named users limited to
// dbs. A pure decision over (mode, user, db, command, arguments); the session applies it and counts it.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/core/command_table.hpp"

namespace sidecar {

struct user {  // who a session is; `default` when it never named itself
    std::string name;
    std::uint32_t database_mask = ~0U;  // bit m: data commands allowed on db m
    bool readonly = false;
    bool nopass = false;
    std::string sha256_hex;

    [[nodiscard]] bool unlimited() const { return database_mask == ~0U && !readonly; }
};

// Who set the limit that refuses: the split of the dbs, which audit mode only counts, or the user's own
// settings, which hold in every mode.
enum class refusal_scope : std::uint8_t { split, user };

struct refusal {
    // Names the rule in metrics and logs: "admin", "cross-db", "flushdb", "channel", … Empty for an error
    // Redis itself would answer.
    std::string_view rule;
    std::string error;  // the reply without '-' and CRLF: "NOPERM …" or Redis's own words
    refusal_scope scope = refusal_scope::split;
};

class policy {
public:
    explicit policy(policy_mode mode, int databases_when_open = 16);

    [[nodiscard]] policy_mode mode() const { return mode_; }

    // One bit test on the hot path: false = check() would allow this command on any db, for a user without
    // limits, whatever its arguments. Commands not in the table must be checked.
    [[nodiscard]] bool must_check(const command_spec& spec) const;

    // nullopt = allowed. `args[0]` is the command name, `sub` the subcommand's spec of a container command
    // (or nullptr). Answers as strict would; the caller decides by mode() whether to refuse (strict) or only
    // to count (audit). In open mode only user limits are refused.
    [[nodiscard]] std::optional<refusal> check(int db, const user& who, const command_spec& spec,
                                               const command_spec* sub,
                                               std::span<const std::string_view> args) const;

    // SELECT's verdict on an index: nullopt = allowed; the error is Redis's own.
    [[nodiscard]] std::optional<refusal> check_select(std::string_view index) const;

    // The upstream ACL rules (arguments of ACL SETUSER after the name, without the password) that confine
    // scripts and functions on a link of this db. Audit and open mode confine nothing but read-only users:
    // empty for others. (P|S)SUBSCRIBE stays free upstream, because scripts cannot call it: the session
    // judges the names.
    [[nodiscard]] std::vector<std::string> upstream_acl_rules(int db, bool readonly) const;

private:
    policy_mode mode_;
    int databases_when_open_;
};

}  // namespace sidecar
