#pragma once
// Finds where one reply ends in upstream's byte stream. Keeps no bytes: a reply may arrive in any number of
// pieces and each piece can be passed on at once. RESP2 and RESP3, nesting of any depth (a counter, not a
// stack).

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace resp {

enum class reply_status : std::uint8_t { need_more, complete, error };

// Length of a whole one-line, bulk or small flat array reply at the front of `bytes` (not empty), found
// without the scanner's state; 0 for all else.
[[nodiscard]] std::size_t short_reply_bytes(std::string_view bytes);
// The same of a push: a small flat one, such as a published message.
[[nodiscard]] std::size_t short_push_bytes(std::string_view bytes);

class reply_scanner {
public:
    struct step {
        reply_status status;
        std::size_t bytes;  // how many of the presented bytes belong to this reply
    };

    // Presents the next bytes of the stream; never looks past the end of the current reply. After `complete`
    // the scanner stands before the next reply. After `error` the stream is beyond repair.
    step scan(std::string_view bytes);

    // First byte of the reply being read or just completed ('+', '-', '$', '*', '>' …); attributes in front
    // of it are passed over. 0 before the first byte.
    [[nodiscard]] char type() const { return type_; }
    [[nodiscard]] bool is_push() const { return type_ == '>'; }
    [[nodiscard]] bool inside_reply() const { return missing_ > 0; }
    // Bytes still to come of the bulk being read: says how large a reply is before it has arrived.
    [[nodiscard]] std::uint64_t bulk_bytes_missing() const { return skip_; }

private:
    bool on_line_start(char c);
    bool on_line_end();
    bool add_elements(std::uint64_t factor);

    std::uint64_t missing_ = 0;  // elements of the current reply not yet read
    std::uint64_t skip_ = 0;     // bytes of a bulk, its CRLF included, not yet seen
    std::int64_t number_ = 0;
    std::uint8_t digits_ = 0;
    bool negative_ = false;
    bool in_line_ = false;
    bool saw_cr_ = false;
    bool numeric_ = false;
    char line_type_ = '\0';
    char type_ = '\0';
};

}  // namespace resp
