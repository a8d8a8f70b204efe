#pragma once
// The order of one client's replies. Every command takes the next number; replies leave in that order, though
// they may be ready in any (several links, local answers). A reply that is next goes straight to the output
// and costs nothing here; one that is early waits.
//
//   issued:   5 6 7 8        next = 5, 7 is ready early and parked; when 5 and 6 have left, 7 follows

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace sidecar {

class pipeline {
public:
    using number = std::uint32_t;
    enum class standing : std::uint8_t { between_replies, inside_reply };

    number issue() { return issued_++; }
    [[nodiscard]] bool is_next(number n) const { return n == next_; }
    [[nodiscard]] bool is_next_and_alone(number n) const { return n == next_ && parked_.empty(); }
    void advance(std::uint32_t replies) { next_ += replies; }  // they were next and alone, and have left
    [[nodiscard]] std::uint32_t in_flight() const { return issued_ - next_; }
    [[nodiscard]] std::size_t parked_bytes() const { return parked_bytes_; }

    // Appends bytes to an early reply; `complete` when it is whole.
    void park(number n, std::string_view bytes, bool complete);

    // The reply that was next has left completely. Appends to `out` what thereby may leave too, which may end
    // in the middle of a reply still arriving.
    template <class Append>
    standing complete_next(Append&& append) {
        ++next_;
        return parked_.empty() ? standing::between_replies : release(append);
    }

private:
    struct early {
        std::string bytes;
        bool complete = false;
    };

    template <class Append>
    standing release(Append&& append) {
        for (auto it = parked_.find(next_); it != parked_.end(); it = parked_.find(next_)) {
            append(std::string_view(it->second.bytes));
            parked_bytes_ -= it->second.bytes.size();
            const bool complete = it->second.complete;
            parked_.erase(it);
            if (!complete) return standing::inside_reply;  // its rest will find itself next
            ++next_;
        }
        return standing::between_replies;
    }

    number issued_ = 0;
    number next_ = 0;
    std::map<number, early> parked_;
    std::size_t parked_bytes_ = 0;
};

}  // namespace sidecar
