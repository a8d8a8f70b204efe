#pragma once
// The rules operators have made: what is paused, slowed, held, revoked or marked. They lie in Redis, in one
// hash with a version beside it, so that they outlive the process and every sidecar on that Redis has them.
//
// A rule's name is its kind and its subject. Queues are named by their key, with the prefix.

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/redis_port.hpp"

namespace broker {

enum class rule_kind : std::uint8_t {
    pause,         // a queue: nothing is delivered
    drain,         // a queue: what is pushed is put aside, what waits is delivered
    rate,          // a queue: so many a second
    hold,          // a task name: its messages are put aside
    task_rate,     // a task name
    revoke_task,   // a task name: its messages are dropped into the trash
    revoke,        // a task's id
    revoke_stamp,  // "name=value" of a stamp
    mark,          // a delivery tag: its message is removed or moved when it is delivered
};
inline constexpr std::size_t rule_kinds = 9;

[[nodiscard]] std::string_view name_of(rule_kind kind);
[[nodiscard]] std::optional<rule_kind> rule_kind_of(std::string_view name);

struct rule {
    double per_second = 0;  // of rates
    std::string list;       // of a mark: where the message lies
    std::string target;     // of a mark: the list it goes to; empty = the trash
    std::string by;
    std::string reason;
    double at = 0;                  // Unix time
    std::optional<double> expires;  // Unix time

    bool operator==(const rule&) const = default;
};

class rule_book {
public:
    explicit rule_book(redis_port& redis) : redis_(redis) {}

    // Reads the rules when they have changed, here or by another sidecar. True: they had.
    bool refresh();
    // Both return an error's text, empty when done. They take effect here at once.
    [[nodiscard]] std::string set(rule_kind kind, const std::string& subject, const rule& value);
    // A script has written it already.
    void note(rule_kind kind, const std::string& subject, const rule& value) { put(kind, subject, value); }
    [[nodiscard]] std::string clear(rule_kind kind, const std::string& subject);
    // Clears the rules whose time is over; at most a few hundred.
    void expire(double now);

    [[nodiscard]] const std::map<std::string, rule, std::less<>>& all(rule_kind kind) const {
        return rules_[static_cast<std::size_t>(kind)];
    }
    [[nodiscard]] const rule* find(rule_kind kind, std::string_view subject) const;
    [[nodiscard]] std::size_t size() const;
    // How many messages of this list are marked.
    [[nodiscard]] std::uint64_t marked_in(std::string_view list) const;
    [[nodiscard]] const std::string& version() const { return version_; }

private:
    using table = std::map<std::string, rule, std::less<>>;

    void put(rule_kind kind, const std::string& subject, const rule& value);
    void drop(rule_kind kind, std::string_view subject);

    static constexpr std::size_t rules_max = 100'000;

    redis_port& redis_;
    table rules_[rule_kinds];
    std::map<std::string, std::uint64_t, std::less<>> marked_;  // by list
    std::string version_;
    bool loaded_ = false;
};

[[nodiscard]] boost::json::object as_json(const rule& value);
// As a rule stands in the hash.
[[nodiscard]] std::string field_of(rule_kind kind, std::string_view subject);
[[nodiscard]] std::string text_of(const rule& value);

}  // namespace broker
