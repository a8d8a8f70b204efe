#pragma once
// Buffers that a shard's clients borrow while something waits to be sent to them. Output is written at the
// end of the turn it was gathered in, so that few buffers serve any number of clients, and an idle client
// holds none.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace sidecar {

class buffer_pool {
public:
    // Empty, with room from its last use.
    [[nodiscard]] std::string take() {
        if (free_.empty()) {
            std::string fresh;
            fresh.reserve(fresh_bytes);
            return fresh;
        }
        std::string buffer = std::move(free_.back());
        free_.pop_back();
        kept_bytes_ -= buffer.capacity();
        return buffer;
    }

    // Large buffers, and those beyond the bound, are freed.
    void give(std::string&& buffer) {
        const std::size_t bytes = buffer.capacity();
        std::string mine = std::move(buffer);
        if (bytes > buffer_bytes_max || kept_bytes_ + bytes > pool_bytes_max) return;
        mine.clear();
        kept_bytes_ += bytes;
        free_.push_back(std::move(mine));
    }

    [[nodiscard]] std::size_t kept_bytes() const { return kept_bytes_; }

    static constexpr std::size_t fresh_bytes = 1'000;
    static constexpr std::size_t buffer_bytes_max = 64U << 10;
    static constexpr std::size_t pool_bytes_max = 4U << 20;

private:
    std::vector<std::string> free_;
    std::size_t kept_bytes_ = 0;
};

}  // namespace sidecar
