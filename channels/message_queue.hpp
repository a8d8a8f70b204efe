#pragma once
// What waits for one process. Each message has the next number; it is given out, and forgotten when the
// client says that everything up to its number has reached its memory.
//
//   first_                 given_                 end
//     │  given, not acked     │   not yet given      │
//
// Full means: waiting, given and not acknowledged, and held unread by the client, together. A full queue
// keeps what it has and drops what comes.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "channels/envelope.hpp"

namespace channels {

using moment = std::chrono::steady_clock::time_point;

enum class push_result : std::uint8_t {
    queued,
    full,  // as many messages as it may have
    slow,  // as many bytes as any queue may have
};

class message_queue {
public:
    static constexpr std::size_t bytes_max = 64U << 20;

    struct entry {
        std::uint64_t seq = 0;
        shared_envelope what;
        moment expires{};
    };

    ~message_queue() { clear(); }
    message_queue() = default;
    message_queue(const message_queue&) = delete;
    message_queue& operator=(const message_queue&) = delete;

    // The bytes of several queues are summed there, too.
    void sum_into(std::size_t& total) { total_ = &total; }
    // How many direct messages one channel may have waiting here; 0 = as many as fit.
    void set_channel_capacity(std::uint32_t capacity) { channel_capacity_ = capacity; }

    push_result push(shared_envelope what, moment expires, moment now, std::size_t capacity);
    // A notice of the layer's own: it takes no message's place.
    void push_notice(shared_envelope what);
    // Everything up to and including seq has arrived. False, and nothing changes: it was never given out, so
    // that whoever says so means another queue, of before a restart.
    bool acknowledge(std::uint64_t seq);
    void set_held(std::uint64_t held) { held_ = held; }
    // Hands up to `count` messages and about `bytes` to `each(entry)`, at least one if there is any.
    template <class Each>
    std::size_t give(std::size_t count, std::size_t bytes, moment now, Each&& each) {
        drop_expired(now);
        std::size_t given = 0;
        std::size_t sum = 0;
        for (; given < count && given_ < entries_.size(); ++given, ++given_) {
            const entry& next = entries_[given_];
            sum += next.what->frame.size();
            if (given > 0 && sum > bytes) break;
            last_given_ = std::max(last_given_, next.seq);
            each(next);
        }
        return given;
    }
    // What was given and not acknowledged may not have arrived: it will be given again.
    void give_again();
    void clear();

    [[nodiscard]] bool has_ungiven(moment now) {
        drop_expired(now);
        return given_ < entries_.size();
    }
    [[nodiscard]] std::size_t size() const { return entries_.size() - first_; }
    [[nodiscard]] std::size_t in_use() const { return size() - notices_ + static_cast<std::size_t>(held_); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::uint64_t next_seq() const { return next_seq_; }
    [[nodiscard]] std::uint64_t expired_total() const { return expired_; }
    // For whoever takes the messages elsewhere.
    [[nodiscard]] std::vector<entry> ungiven(moment now);

private:
    void drop_expired(moment now);
    void add_bytes(std::size_t bytes) {
        bytes_ += bytes;
        *total_ += bytes;
    }
    void take_bytes(std::size_t bytes) {
        bytes_ -= bytes;
        *total_ -= bytes;
    }
    [[nodiscard]] bool channel_is_full(std::string_view channel) const;
    void compact();

    std::vector<entry> entries_;  // those before first_ are gone
    std::size_t first_ = 0;
    std::size_t given_ = 0;
    std::size_t notices_ = 0;  // among those not yet acknowledged
    std::uint64_t next_seq_ = 1;
    std::uint64_t last_given_ = 0;  // the highest number, also of what is to be given again
    std::uint64_t held_ = 0;
    std::uint64_t expired_ = 0;
    std::size_t bytes_ = 0;
    std::size_t own_total_ = 0;
    std::size_t* total_ = &own_total_;
    std::uint32_t channel_capacity_ = 0;
    moment earliest_ = moment::max();  // no message not yet given expires before
};

}  // namespace channels
