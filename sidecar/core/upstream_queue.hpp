#pragma once
// Commands of one upstream connection, from submission to answer, and whose each is. Replies carry no name:
// the n-th reply belongs to the n-th command. The bytes of a command are kept until it is answered, so that
// what was never written (and reads that were) can go out again on a new connection.
//
//   blocks:   | answered |  written, unanswered  |  not yet written  |
//             ^ released ^ front()               ^ gather()
//
// A command lies in one block, never across two. Whoever wants to read commands later may keep their block:
// it is then appended to, but never used again for other bytes.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidecar/core/ring.hpp"

namespace sidecar {

struct upstream_entry;

enum class loss_verdict : std::uint8_t { resend, drop };

// Who gets a reply. Owners outlive their entries: one that is finished early stays until its last entry is
// gone. From on_link_lost and on_never_sent nothing may be submitted; the owner asks the shard to be resumed
// instead.
class reply_owner {
public:
    // Bytes of the reply, in pieces as they arrive; `complete` with the last piece.
    virtual void on_reply(const upstream_entry& entry, std::string_view bytes, bool complete) = 0;
    // Asked before several whole replies of reply_use::forward, `first` and those behind it, are given at
    // once.
    [[nodiscard]] virtual bool takes_run(const upstream_entry& first) const {
        (void)first;
        return false;
    }
    // `count` replies back to back; the commands had `command_bytes` in all.
    virtual void on_run(std::uint32_t count, std::uint64_t command_bytes, std::string_view replies) {
        (void)count, (void)command_bytes, (void)replies;
    }
    // The connection is gone. `sent`: the whole command had been handed to the kernel. `drop` is final for
    // the entry.
    virtual loss_verdict on_link_lost(const upstream_entry& entry, bool sent) = 0;
    // The entry was never sent and never will be: the hold is over, or the owner no longer wants it.
    virtual void on_never_sent(const upstream_entry& entry) = 0;
    // Asked before waiting commands go out on a new connection.
    [[nodiscard]] virtual bool wants_still() const { return true; }

protected:
    ~reply_owner() = default;
};

// What the owner does with the reply.
enum class reply_use : std::uint8_t {
    forward,   // the client's, byte for byte
    publish,   // the receiver count is corrected
    numsub,    // PUBSUB NUMSUB and SHARDNUMSUB: the counts are corrected
    queued,    // inside MULTI: "+QUEUED" or an error
    poison,    // inside MULTI: provoked an error so that EXEC aborts; the client sees our words instead
    exec,      // EXEC's array, with local answers put in place
    sticky,    // WATCH, MULTI, DISCARD, UNWATCH … on a lease: forwarded, then the lease is reconsidered
    guard,     // of channels_redis, see session_guard.cpp
    steered,   // of a broker's client, see session_broker.cpp
    blocking,  // the answer of a parked call
    internal,  // asked by the sidecar itself
};

namespace entry_flag {
inline constexpr std::uint16_t repeatable = 256;  // a write whose repetition changes nothing
inline constexpr std::uint16_t starts_tracking = 128;
inline constexpr std::uint16_t readonly = 1;         // may be repeated
inline constexpr std::uint16_t retried = 2;          // was repeated once already
inline constexpr std::uint16_t partial = 4;          // part of its reply has been passed on
inline constexpr std::uint16_t in_transaction = 64;  // of a transaction sent whole, behind its MULTI
inline constexpr std::uint16_t silent = 32;  // CLIENT REPLY OFF or SKIP: the client sees nothing of the reply
inline constexpr std::uint16_t unanswered = 16;  // no reply comes (SUBSCRIBE over RESP3): over once written
inline constexpr std::uint16_t unbounded = 8;    // the hold does not apply (parked calls, the sidecar's own)
}  // namespace entry_flag

struct upstream_entry {
    reply_owner* owner = nullptr;  // nullptr: the reply is read and dropped
    std::uint32_t number = 0;      // the owner's
    std::uint32_t bytes = 0;
    std::uint32_t submitted_us = 0;  // of the shard's clock; wraps, differences do not
    std::uint16_t command = 0;       // index into the command table
    reply_use use = reply_use::forward;
    std::uint16_t flags = 0;
    std::uint8_t database = 0;
    std::uint32_t note = 0;  // broker_tap's ticket: what is told of it counts if it succeeds

    // Its reply is the client's as it comes, whole and seen.
    [[nodiscard]] bool is_plain_forward() const {
        return use == reply_use::forward && (flags & (entry_flag::silent | entry_flag::partial)) == 0;
    }
};

class upstream_queue {
public:
    void push(const upstream_entry& entry, std::string_view command_bytes);
    // What was pushed last, until the next push.
    [[nodiscard]] upstream_entry& back() { return *back_; }
    // Where its bytes end, of which those before it may lie in the same block.
    [[nodiscard]] const char* bytes_end() const { return bytes_end_; }
    // The next so many bytes will lie in one block, the commands one behind the other.
    void keep_together(std::size_t bytes) {
        if (blocks_.empty() || blocks_.back().capacity - blocks_.back().size < bytes) add_block(bytes);
    }
    struct kept_block {
        std::shared_ptr<const char[]> bytes;
        std::size_t capacity = 0;
        bool is_new = false;  // nobody kept it before
    };
    [[nodiscard]] kept_block keep_back_block() {
        block& last = blocks_.back();
        return {last.data, last.capacity, !std::exchange(last.is_kept, true)};
    }

    std::size_t gather(std::span<std::string_view> pieces) const;
    void on_written(std::size_t bytes);

    [[nodiscard]] bool empty() const { return entries_.empty(); }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] std::size_t unsent_bytes() const { return end_ - sent_; }
    [[nodiscard]] std::size_t kept_bytes() const { return end_ - answered_; }
    [[nodiscard]] bool front_was_sent() const { return answered_ + front().bytes <= sent_; }
    [[nodiscard]] upstream_entry& front() { return entries_.front(); }
    [[nodiscard]] const upstream_entry& front() const { return entries_.front(); }
    [[nodiscard]] std::string_view front_bytes() const;
    void pop_front() {
        if ((entries_.front().flags & entry_flag::unanswered) != 0) --unanswered_;
        answered_ += entries_.front().bytes;
        entries_.pop_front();
        if (base_ + blocks_.front().size <= answered_) release();
    }
    [[nodiscard]] bool holds_unanswered() const { return unanswered_ > 0; }

    struct unsent {
        upstream_entry entry;
        std::string bytes;
    };
    // Takes out what has not begun to be written, in order.
    [[nodiscard]] std::vector<unsent> cut_unsent();
    // Offers what has been written, at least its first byte, in order; true: nobody wants its reply any more.
    template <class Disown>
    void disown_written(Disown&& disown) {
        std::uint64_t begin = answered_;
        for (std::size_t i = 0; i < entries_.size() && begin < sent_; begin += entries_[i++].bytes)
            if (disown(std::as_const(entries_[i]))) entries_[i].owner = nullptr;
    }

    // Asks `verdict(entry, sent)` of every entry in order; what is kept counts as unsent.
    template <class Verdict>
    void on_lost(Verdict&& verdict) {
        upstream_queue kept;
        std::uint64_t begin = answered_;
        std::size_t index = 0;
        std::uint64_t index_begin = base_;
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            const upstream_entry entry = entries_[i];
            seek(begin, index, index_begin);
            const std::string_view bytes(blocks_[index].data.get() + (begin - index_begin), entry.bytes);
            begin += entry.bytes;
            if (verdict(entries_[i], begin <= sent_) == loss_verdict::resend) kept.push(entries_[i], bytes);
        }
        *this = std::move(kept);
    }

private:
    struct block {
        std::shared_ptr<char[]> data;
        std::size_t capacity = 0;
        std::size_t size = 0;
        bool is_kept = false;  // elsewhere as well
    };

    void seek(std::uint64_t position, std::size_t& index, std::uint64_t& begin) const;
    void release();
    void cut_blocks(std::uint64_t end);
    block& add_block(std::size_t bytes);

    ring<upstream_entry> entries_;
    std::deque<block> blocks_;
    block spare_;
    std::uint64_t base_ = 0;      // position of the first block's first byte
    std::uint64_t answered_ = 0;  // positions count all bytes ever pushed
    std::uint64_t sent_ = 0;
    std::uint64_t end_ = 0;
    std::size_t send_block_ = 0;  // where `sent_` stands
    std::uint64_t send_block_begin_ = 0;
    std::size_t unanswered_ = 0;  // entries that no reply comes for
    upstream_entry* back_ = nullptr;
    const char* bytes_end_ = nullptr;  // of the last command
};

}  // namespace sidecar
