#pragma once
// Which commands of a broker's client mean something, and what: the notes that tell an observer of them.
// By name and arguments alone; whether a command succeeded is for the caller to find out.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "broker/wire_note.hpp"

namespace broker {

enum class traffic : std::uint8_t {
    none,
    push_left,
    push_right,
    pop_left,  // at once, no waiting
    pop_right,
    wait,       // BRPOP, BLPOP
    take_note,  // HSET: kombu notes a delivery
    settle,     // ZREM, HDEL: it is acknowledged
    sweep,
    route,
    bind,
    unbind,
    remove,
    publish,
    listen,
    listen_to_pattern,
    leave,
    leave_pattern,
    name,
    begin,  // MULTI
    commit,
    discard,
};

// By a command's name in lower case.
[[nodiscard]] traffic traffic_of(std::string_view command_name);

// Its notes count only once the command is known to have succeeded.
[[nodiscard]] constexpr bool may_fail(traffic step) {
    return step == traffic::push_left || step == traffic::push_right || step == traffic::take_note ||
           step == traffic::settle || step == traffic::bind || step == traffic::unbind ||
           step == traffic::remove;
}

// Appends what the command tells; `about` gives db, client and time. True when it notes a delivery.
bool append_notes(std::string& batch, traffic step, std::span<const std::string_view> args, wire_note about);

// The message's part of the note, and its size.
void set_message(wire_note& note, std::string_view wire_note::*place, std::string_view message);

}  // namespace broker
