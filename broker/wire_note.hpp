#pragma once
// What a shard saw of a broker's traffic, written into batches of bytes that travel to the thread which
// observes. Notes of one client are in the order of its traffic; of several clients in one batch, in the
// order their shard learnt of it. Of what may fail (a push, a transaction) a note is written once it has
// succeeded.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace broker {

enum class wire_kind : std::uint8_t {
    pushed,           // key = list, text = message, extra = "left" or "right"
    popped,           // a client was given it: key = list, text = message
    waits,            // a BRPOP began: text = its keys, each on a line, extra = its timeout in milliseconds
    waits_over,       // and ended with nil, or with the client
    noted,            // HSET unacked: key = the hash, text = tag, extra = message
    settled,          // HDEL: key = the hash, text = tag
    swept,            // ZREVRANGEBYSCORE unacked_index: key, text = the highest score asked for
    routed,           // SMEMBERS _kombu.binding.X: key
    bound,            // SADD _kombu.binding.X: key, text = member
    unbound,          // SREM: the same
    published,        // PUBLISH: key = channel, text = payload
    listens,          // (P)SUBSCRIBE: key = the name or pattern, extra = "pattern" for PSUBSCRIBE
    listens_no_more,  // (P)UNSUBSCRIBE: key; empty = of all
    deleted,          // DEL or UNLINK: key
    named,      // CLIENT SETNAME, CLIENT SETINFO, HELLO SETNAME: key = "name", "lib-name", "lib-ver"; text
    connected,  // the client's first command on this db: text = its remote address
    gone,       // its socket is closed
    put_back,   // given to a client that was gone: key = list, text = tag, extra = message
    reserved_back,  // the same for one whose copy lay in Redis
    withheld,       // a rule kept it from its client: key = list, text = message, extra = which
    gap,            // notes were dropped before this one
};
inline constexpr std::size_t wire_kinds = static_cast<std::size_t>(wire_kind::gap) + 1;

struct wire_note {
    wire_kind kind{};
    std::uint8_t db = 0;
    std::uint64_t client = 0;
    std::int64_t at_us = 0;  // Unix time
    std::string_view key;
    std::string_view text;
    std::string_view extra;
    std::uint64_t size = 0;  // of the whole message, of which text or extra may be the tail

    bool operator==(const wire_note&) const = default;
};

// A message longer than this is noted by its tail: kombu writes headers and properties behind the body.
inline constexpr std::size_t whole_message_bytes_max = std::size_t{16} << 10;
inline constexpr std::size_t message_tail_bytes = std::size_t{8} << 10;

// The part of a message that a note carries. A view of `message`.
[[nodiscard]] std::string_view noted_part(std::string_view message);

void append(std::string& batch, const wire_note& note);

// Reads a batch front to back. What it gives are views of the batch. A batch that is cut off or garbled ends
// early.
class note_reader {
public:
    explicit note_reader(std::string_view batch) : rest_(batch) {}
    [[nodiscard]] bool next(wire_note& into);

private:
    std::string_view rest_;
};

}  // namespace broker
