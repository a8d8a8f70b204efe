#pragma once
// What a shard does with messages in Redis, as RESP commands: each is one script, so that a message is never
// in two places or none, and can be sent again after a lost answer without doing it twice.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace broker {

// Keys of the sidecar's own in a broker's db.
[[nodiscard]] std::string held_list(std::string_view list);
[[nodiscard]] std::string dead_list(std::string_view list);
[[nodiscard]] std::string paced_list(std::string_view task);

enum class push_end : std::uint8_t { left, right };

// A message that was popped goes into a list.
struct placing {
    std::string list;
    push_end end = push_end::right;
    std::string message;
    std::string token;     // names a key that remembers that it was done; expires after an hour
    std::string reserved;  // it is taken out of the reserve, and nothing is done unless it is there
    // Nothing is done if the tag stands in one of the hashes: somebody has taken delivery.
    std::string tag;
    std::vector<std::string> unless_noted_in;
    std::string forget_mark;  // of this tag
    std::string paced_task;   // remembered as one with messages waiting
};
// Answers 1 when it was done, 0 when it had been done before, 2 when the message is elsewhere.
[[nodiscard]] std::string place_command(const placing& what);

// A message that was popped and shall not be delivered goes into the trash, or nowhere (an empty id).
struct trashing {
    std::string id;
    std::string list;
    std::string message;
    std::string why;
    std::string reserved;
    std::string tag;  // its mark is removed
    std::int64_t now_s = 0;
    std::int64_t expires_s = 0;
    // Kept for whoever asks for the task's result, unless it succeeded before or another serializer is used
    // there, and told to those who wait; empty: none.
    std::string result_key;
    std::string result;
};
[[nodiscard]] std::string trash_command(const trashing& what);

// Counts a redelivery of the tag; answers how many there were in the last week.
[[nodiscard]] std::string count_redelivery_command(std::string_view tag);

// Pops from the first of the lists that has a message, and keeps it in the reserve under `name` until it is
// released. Asked again under the same name it answers the same. The reply is a BRPOP's.
[[nodiscard]] std::string reserve_command(std::span<const std::string> lists, push_end end,
                                          std::string_view name);
[[nodiscard]] std::string release_command(std::span<const std::string> names);

// Says that the process is alive, and puts back what processes reserved that are not: but for what stands in
// one of the hashes. Answers how many went back.
[[nodiscard]] std::string restore_reserved_command(std::string_view run_id,
                                                   std::span<const std::string> hashes);

// Puts up to so many waiting messages of each task back in front; of tasks not named, all (a thousand at a
// time). Answers how many still wait.
[[nodiscard]] std::string release_paced_command(
    std::span<const std::pair<std::string, std::int64_t>> budgets);

}  // namespace broker
