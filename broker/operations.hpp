#pragma once
// What an operator changes in Redis: one message or a whole queue, by scripts that compare before they
// change. What is removed can be had back from the trash for a while; every change is an entry of the audit
// stream.

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "broker/broker_layout.hpp"
#include "broker/inspector.hpp"
#include "broker/redis_port.hpp"

namespace broker {

struct change_author {
    std::string by;      // "operator 10.0.0.7:4711"
    std::string reason;  // the operator's own words
    std::int64_t now_us = 0;
};

enum class change_outcome : std::uint8_t {
    done,
    marked,     // will be done at its delivery
    gone,       // it is not there any more, or not as it was
    too_deep,   // farther from both ends than a removal may walk
    too_large,  // not without being told so twice
    count_differs,
    failed,  // Redis did not do it; the error says why
};

struct change_result {
    change_outcome outcome = change_outcome::failed;
    std::int64_t count = 0;  // changed, or the true count where it differs
    std::string undo;        // id in the trash
    std::string error;
};

struct trashed {
    std::string id;
    boost::json::object about;  // what was removed, by whom, when
    std::string element;        // of one message
};

struct audit_entry {
    std::string id;
    boost::json::object about;
};

enum class queue_end : std::uint8_t { head, tail };  // head: next to run

// A message of the hash unacked.
struct unacked_message {
    std::string tag;
    std::string value;  // exact bytes
};

struct operations_limits {
    std::int64_t depth_max = 30'000;  // from either end; LREM walks so far in well below 10 ms
    std::int64_t trash_ttl_ms = 86'400'000;
    std::size_t trash_messages_max = 100'000;
};

class operations {
public:
    // `random_id` gives texts nobody can guess or meet twice.
    operations(redis_port& redis, std::function<std::string()> random_id, operations_limits limits = {});

    [[nodiscard]] change_result remove(const listed_message& message, const change_author& author);
    // In one step with its removal `element` is pushed to `target_key`.
    [[nodiscard]] change_result replace(const listed_message& message, const std::string& element,
                                        const std::string& target_key, queue_end end, std::string_view action,
                                        const change_author& author);
    // For what is too deep to be taken out: the mark is carried out at its delivery. `rule_field` and
    // `rule_text` are the mark as the rule book writes it; `keep` puts a copy into the trash now.
    [[nodiscard]] change_result mark(const listed_message& message, const std::string& rule_field,
                                     const std::string& rule_text, bool keep, std::string_view action,
                                     const change_author& author);
    // Of a marked message that has come near an end; it is in the trash already.
    [[nodiscard]] change_result carry_out(const listed_message& message, const std::string& element,
                                          const std::string& target_key);
    [[nodiscard]] change_result purge(const broker_layout& layout, const std::string& queue,
                                      std::int64_t expected, std::int64_t tolerance, bool keep,
                                      const change_author& author);
    // Undone, `element` goes to `home_key`.
    [[nodiscard]] change_result remove_unacked(const broker_layout& layout, const unacked_message& message,
                                               const std::string& element, const std::string& home_key,
                                               const change_author& author);
    // `element` is pushed; it is the message, perhaps edited.
    [[nodiscard]] change_result restore_unacked(const broker_layout& layout, const unacked_message& message,
                                                const std::string& element, const std::string& target_key,
                                                const change_author& author);
    [[nodiscard]] change_result undo(const std::string& id, const change_author& author);
    // From the right end of one list to another, at most so many.
    [[nodiscard]] change_result transfer(const std::string& from_key, const std::string& to_key,
                                         std::int64_t count, queue_end end, std::string_view action,
                                         const change_author& author);

    void audit(std::string_view action, const boost::json::object& about, const change_author& author);
    // Newest first, older than `before` where that is given.
    [[nodiscard]] std::vector<audit_entry> audit_entries(const std::string& before, std::size_t limit,
                                                         std::string& error);
    [[nodiscard]] std::vector<trashed> trash(std::size_t offset, std::size_t limit, std::string& error);
    // Removes what has been in the trash long enough; a few at a time.
    void expire_trash(std::int64_t now_us);

private:
    [[nodiscard]] resp::value run(std::string_view script, const std::vector<std::string>& keys,
                                  std::vector<std::string> arguments);
    [[nodiscard]] std::string audit_text(std::string_view action, boost::json::object about,
                                         const change_author& author) const;
    [[nodiscard]] std::string deadline_ms(const change_author& author) const;
    change_result take(const listed_message& message, const std::string& element,
                       const std::string& target_key, queue_end end, std::string_view action, bool keep,
                       const change_author& author);
    change_result settle(const broker_layout& layout, const unacked_message& message,
                         const std::string& element, const std::string& target_key, std::string_view action,
                         bool keep, const change_author& author);
    change_result undo_purge(const trashed& what, const change_author& author);
    [[nodiscard]] bool trash_has_room();

    redis_port& redis_;
    std::function<std::string()> random_id_;
    operations_limits limits_;
};

[[nodiscard]] std::string own_key(std::string_view name);

}  // namespace broker
