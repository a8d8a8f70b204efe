#pragma once
// Who listens to which name, over one upstream connection. Many local subscribers share one upstream
// subscription; the table says when the first comes and the last goes, and which names upstream has
// confirmed.
//
//   want() ──first──→ SUBSCRIBE queued ──→ on_confirmed() ──→ waiters told ──→ join(): messages are delivered
//   leave() ──last──→ UNSUBSCRIBE queued
//
// The upstream connection answers in order, so a name that is unsubscribed and wanted again is confirmed when
// the last of its SUBSCRIBEs is.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace channels {

enum class name_kind : std::uint8_t { channel, pattern, shard_channel };
inline constexpr int name_kinds = 3;

class subscriber;  // whoever the owner of the table says it is; the table only keeps the address

class subscription_table {
public:
    struct topic {
        std::vector<subscriber*> members;
        std::vector<subscriber*> waiters;  // to be told of the confirmation
        std::uint32_t interest = 0;        // members, waiters and those on their way
        std::uint32_t unconfirmed = 0;     // SUBSCRIBEs sent and not yet answered
        bool subscribed = false;           // the last thing sent was SUBSCRIBE
        [[nodiscard]] bool ready() const { return subscribed && unconfirmed == 0; }
    };

    // What want() and leave() mean for upstream.
    enum class effect : std::uint8_t { none, first, last };

    effect want(name_kind kind, std::string_view name);
    // Gives back one want(). With a member or waiter given, it is taken off the lists.
    effect leave(name_kind kind, std::string_view name, subscriber* who);
    void wait(name_kind kind, std::string_view name, subscriber* who);
    // From now on messages are delivered to `who`, who has a want().
    void join(name_kind kind, std::string_view name, subscriber* who);

    [[nodiscard]] bool ready(name_kind kind, std::string_view name) const;
    // nullptr when nobody ever wanted it.
    [[nodiscard]] topic* find(name_kind kind, std::string_view name);

    // Upstream confirmed a SUBSCRIBE. Returns those who waited, when it was the last one outstanding.
    std::vector<subscriber*> on_confirmed(name_kind kind, std::string_view name);

    // Everything want() and leave() queued, as RESP commands of at most 512 names each; clears the queue.
    [[nodiscard]] std::string take_commands();
    [[nodiscard]] bool has_commands() const;

    // The connection is gone: nothing is confirmed any more, and replay queues every wanted name again.
    void on_lost();
    void replay();

    template <class F>
    void each(F&& f) const {
        for (int kind = 0; kind < name_kinds; ++kind)
            for (const auto& [name, t] : topics_[kind]) f(static_cast<name_kind>(kind), name, t);
    }
    [[nodiscard]] std::size_t size() const;  // wanted names

private:
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
    };
    using topic_map = std::unordered_map<std::string, topic, text_hash, std::equal_to<>>;
    struct change {
        bool subscribe;
        name_kind kind;
        std::string name;
    };

    topic_map topics_[name_kinds];
    std::vector<change> queued_;
};

}  // namespace channels
