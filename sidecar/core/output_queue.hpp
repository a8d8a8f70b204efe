#pragma once
// Bytes on their way to one client: replies copied in, fan-out frames shared by reference. While empty it
// holds no buffer: those are borrowed from the shard's pool.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/core/buffer_pool.hpp"

namespace sidecar {

using shared_frame = std::shared_ptr<const std::string>;

class output_queue {
public:
    // The pool outlives the queue.
    explicit output_queue(buffer_pool& pool) : pool_(pool) {}
    ~output_queue() { clear(); }
    output_queue(const output_queue&) = delete;
    output_queue& operator=(const output_queue&) = delete;

    void append(std::string_view bytes);
    // The frame is kept alive until it is sent; worth it for frames too large to copy per receiver.
    void append_shared(shared_frame frame);

    // Fills `pieces` with what is to be sent next, in order; returns how many were filled. Valid until the
    // next call of a non-const member.
    std::size_t gather(std::span<std::string_view> pieces) const;
    void consume(std::size_t bytes);  // they were handed to the kernel
    void clear();

    [[nodiscard]] std::size_t size() const { return bytes_; }
    [[nodiscard]] bool empty() const { return bytes_ == 0; }
    // Counters over the queue's life: the position of the next byte appended, and of the next to be sent.
    [[nodiscard]] std::uint64_t appended_total() const { return sent_total_ + bytes_; }
    [[nodiscard]] std::uint64_t sent_total() const { return sent_total_; }

private:
    struct segment {
        std::string own;
        shared_frame shared;
        [[nodiscard]] std::string_view view() const { return shared ? std::string_view(*shared) : own; }
    };

    void release(segment& sent);

    buffer_pool& pool_;
    std::vector<segment> segments_;
    std::size_t first_ = 0;   // segments before it are sent
    std::size_t offset_ = 0;  // into segments_[first_]
    std::size_t bytes_ = 0;
    std::uint64_t sent_total_ = 0;
};

}  // namespace sidecar
