#pragma once
// Finds the commands in a client's bytes; copies nothing.
//
//   bytes:   *2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGE
//            |------------ complete -----------||- partial -|
//                                              ^ the caller keeps this tail and presents it again, longer
//
// The caller owns the bytes and presents them from the start of the first unfinished command each time. The
// scanner remembers how far it got in a partial command, so that a large one arriving in small pieces costs
// linear time. Framing is Redis's to the letter, oddities included (a header ends at the first CR, whatever
// byte follows it; the two bytes after a bulk are skipped unseen), because the same bytes are parsed again by
// Redis.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/frame_error.hpp"

namespace resp {

enum class scan_status : std::uint8_t {
    need_more,
    command,
    nothing,
    error
};  // nothing: an empty line, *0, *-1

enum class peer_trust : std::uint8_t { stranger, known };  // limits before and after authentication

// Where a command's arguments stand. Views into the caller's bytes (or, for inline commands, into
// `inline_text`), valid until either changes.
struct scanned_command {
    std::vector<std::string_view> args;  // the first argument_views_max of them
    std::size_t argument_count = 0;
    std::size_t bytes = 0;  // length of the frame at the front of the presented bytes
    bool is_inline = false;
    std::string inline_text;  // an inline command's unquoted arguments, back to back
};

class command_scanner {
public:
    // On `command` and `nothing`, `out.bytes` are used up. On `need_more` nothing is. On `error` see error().
    scan_status scan(std::string_view bytes, peer_trust trust, scanned_command& out);

    [[nodiscard]] frame_error error() const { return error_; }
    [[nodiscard]] std::string error_text() const { return describe(error_, found_); }
    // A lower bound of the bytes still missing from a partial command: worth reserving in one go.
    [[nodiscard]] std::size_t bytes_wanted() const { return wanted_; }

private:
    static bool scan_whole(std::string_view bytes, scanned_command& out);
    scan_status scan_inline(std::string_view bytes, scanned_command& out);
    scan_status scan_header(std::string_view bytes, peer_trust trust, scanned_command& out);
    scan_status scan_arguments(std::string_view bytes, peer_trust trust, scanned_command& out);
    scan_status fail(frame_error error, char found = '\0');
    scan_status wait(std::string_view bytes, peer_trust trust);
    void collect(std::string_view bytes, scanned_command& out) const;
    void reset();

    // Progress in a partial command: the offset of the next argument header and how many are still missing.
    std::size_t position_ = 0;
    std::int64_t remaining_ = 0;
    std::int64_t count_ = 0;
    std::size_t wanted_ = 0;
    std::size_t line_searched_ = 0;
    frame_error error_ = frame_error::none;
    char found_ = '\0';
};

}  // namespace resp
