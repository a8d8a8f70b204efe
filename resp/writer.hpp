#pragma once
// Appends RESP frames to a string. The only place that knows how a frame is spelt.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace resp {

void append_bulk(std::string& out, std::string_view text);
void append_simple(std::string& out, std::string_view text);  // text has no CR or LF
void append_error(std::string& out,
                  std::string_view text);  // without the leading '-'; CR and LF become spaces
void append_integer(std::string& out, std::int64_t number);
void append_array_header(std::string& out, std::size_t count);
void append_push_header(std::string& out, std::size_t count);
// RESP3 map header, or RESP2's flat array of twice the size.
void append_map_header(std::string& out, std::size_t pairs, int protocol);
void append_null(std::string& out, int protocol);        // "_" or "$-1"
void append_null_array(std::string& out, int protocol);  // "_" or "*-1"
// Text for people: RESP3's verbatim string, or RESP2's bulk.
void append_verbatim(std::string& out, std::string_view text, int protocol);
// A command as clients send it: an array of bulks.
void append_command(std::string& out, std::span<const std::string_view> args);
[[nodiscard]] std::string command(std::initializer_list<std::string_view> args);

}  // namespace resp
