#pragma once
// What the sidecar knows of every Redis command: arity, flags and where its keys stand. Compiled in from
// Redis 7's own COMMAND reply and corrected at connect from upstream's (learn), so that a newer Redis or a
// module is understood. Each shard has its own table: nothing is shared between threads.
//
// Flags are Redis's. EVAL, FCALL and PUBLISH carry neither write nor readonly: a command is a read only
// if it has the readonly flag, never because write is absent.

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/traffic.hpp"

namespace resp {
struct value;
}

namespace sidecar {

// Commands the session treats by name; everything else is `other`.
enum class verb : std::uint8_t {
    other,
    acl,
    asking,
    auth,
    channel,  // CH.*
    client,
    command,
    copy,
    debug,
    discard,
    echo,
    eval,
    evalsha,
    exec,
    fcall,
    function,
    hello,
    info,
    memory,
    monitor,
    multi,
    ping,
    psubscribe,
    psync,
    publish,
    pubsub,
    punsubscribe,
    quit,
    readonly,
    readwrite,
    replconf,
    reset,
    script,
    select,
    shutdown,
    sidecar,
    spublish,
    ssubscribe,
    subscribe,
    sunsubscribe,
    sync,
    unsubscribe,
    unwatch,
    wait,
    waitaof,
    watch,
    security_trap,
};

// (P|S)SUBSCRIBE and (P|S)UNSUBSCRIBE.
[[nodiscard]] constexpr bool is_subscription(verb id) {
    return id == verb::subscribe || id == verb::psubscribe || id == verb::ssubscribe ||
           id == verb::unsubscribe || id == verb::punsubscribe || id == verb::sunsubscribe;
}

namespace command_flag {
inline constexpr std::uint32_t write = 1U << 0;
inline constexpr std::uint32_t readonly = 1U << 1;
inline constexpr std::uint32_t blocking = 1U << 2;
inline constexpr std::uint32_t admin = 1U << 3;      // @admin
inline constexpr std::uint32_t dangerous = 1U << 4;  // @dangerous
inline constexpr std::uint32_t pubsub = 1U << 5;
inline constexpr std::uint32_t no_auth = 1U << 6;
inline constexpr std::uint32_t container = 1U << 7;   // the second argument names a subcommand
inline constexpr std::uint32_t scripting = 1U << 8;   // @scripting
inline constexpr std::uint32_t connection = 1U << 9;  // @connection
inline constexpr std::uint32_t local = 1U << 10;      // the sidecar's own (SIDECAR)
// Goes upstream as it is for a client in no special state: nothing about it has to be judged or remembered.
inline constexpr std::uint32_t plain = 1U << 11;
inline constexpr std::uint32_t unjudged = 1U << 12;  // the policy never refuses it, whatever its arguments
inline constexpr std::uint32_t guarded = 1U
                                         << 13;  // channels_redis may have sent it, on a db that is guarded
inline constexpr std::uint32_t watched = 1U << 14;  // it may tell something of a broker's traffic
// Outside of a transaction it is written down for the observer as it stands, and nothing else is done about
// it.
inline constexpr std::uint32_t recorded = 1U << 15;
// Not Redis's: set by the shard.
inline constexpr std::uint32_t marks = plain | unjudged | guarded | watched | recorded;
}  // namespace command_flag

struct command_spec {
    std::string_view name;   // lower case; a subcommand reads "config|get"
    std::int16_t arity = 0;  // as Redis: negative = at least
    std::uint32_t flags = 0;
    std::int16_t first_key = 0;
    std::int16_t last_key = 0;
    std::int16_t key_step = 0;
    verb id = verb::other;
    broker::traffic traffic{};  // what it means to a broker
    std::uint16_t index = 0;    // dense, for counters by command; subcommands share their parent's

    [[nodiscard]] bool has(std::uint32_t flag) const { return (flags & flag) != 0; }
    [[nodiscard]] bool arity_fits(std::size_t argument_count) const;
};

class command_table {
public:
    command_table();
    command_table(const command_table&) = delete;
    command_table& operator=(const command_table&) = delete;

    // Case-insensitive. nullptr when unknown. Valid as long as the table.
    [[nodiscard]] const command_spec* find(std::string_view name) const;
    // The same for a name in its frame, with the headers "*N\r\n$N\r\n" in front of it: short names as they
    // were spelt last are found by one comparison. The name is not empty.
    [[nodiscard]] const command_spec* find_framed(std::string_view name) {
        if (name.size() > sizeof(std::uint64_t)) return find(name);
        std::uint64_t letters = 0;
        std::memcpy(&letters, name.data() + name.size() - sizeof letters, sizeof letters);
        letters >>= 8 * (sizeof letters - name.size());
        recent& known = recent_[letters * 0x9E3779B97F4A7C15ULL >> 56];
        if (known.letters == letters && known.size == name.size()) return known.spec;
        const command_spec* spec = find(name);
        if (spec != nullptr) known = {letters, name.size(), spec};
        return spec;
    }
    // The subcommand's own spec ("config|get"), or nullptr.
    [[nodiscard]] const command_spec* find_sub(const command_spec& container, std::string_view name) const;

    // Merges upstream's COMMAND reply: new commands are added, arity, flags and keys of known ones corrected.
    // Anything not shaped like a COMMAND reply is ignored. Returns how many entries changed.
    std::size_t learn(const resp::value& command_reply);

    // Sets the flags `marks(spec)`, of those in command_flag::marks, on every top-level command.
    template <class Marks>
    void mark(Marks&& marks) {
        for (command_spec* spec : by_index_)
            spec->flags = (spec->flags & ~command_flag::marks) | marks(*spec);
    }

    [[nodiscard]] std::size_t size() const { return by_index_.size(); }  // top-level commands
    [[nodiscard]] const command_spec& at_index(std::uint16_t index) const { return *by_index_[index]; }

private:
    command_spec& add(std::string_view name);
    void index_name(command_spec& spec);
    void place(command_spec* spec);

    std::deque<command_spec> specs_;
    std::deque<std::string> names_;  // of learnt commands; compiled-in names are literals
    std::unordered_map<std::string_view, command_spec*> by_name_;
    std::deque<command_spec*> by_index_;
    // Top-level names only, open addressing, at most half full: what every command of every client asks.
    std::vector<command_spec*> slots_;
    struct recent {
        std::uint64_t letters = 0;  // as spelt, little-endian
        std::size_t size = 0;
        const command_spec* spec = nullptr;
    };
    std::array<recent, 256> recent_{};
};

}  // namespace sidecar
