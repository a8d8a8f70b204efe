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
    settle,     // HDEL: it is acknowledged (ZREM of the index stands beside it)
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
    commit,
    discard,
};

// By a command's name in lower case.
[[nodiscard]] traffic traffic_of(std::string_view command_name);

// The command itself tells what an observer wants to know of it, if it succeeds. Of the others the reply does
// (pops), or the session (names, subscriptions, transactions).
[[nodiscard]] constexpr bool tells_itself(traffic step) {
    constexpr std::uint32_t those =
        1U << static_cast<unsigned>(traffic::push_left) | 1U << static_cast<unsigned>(traffic::push_right) |
        1U << static_cast<unsigned>(traffic::take_note) | 1U << static_cast<unsigned>(traffic::settle) |
        1U << static_cast<unsigned>(traffic::sweep) | 1U << static_cast<unsigned>(traffic::route) |
        1U << static_cast<unsigned>(traffic::bind) | 1U << static_cast<unsigned>(traffic::unbind) |
        1U << static_cast<unsigned>(traffic::remove) | 1U << static_cast<unsigned>(traffic::publish);
    return (those >> static_cast<unsigned>(step) & 1U) != 0;
}

[[nodiscard]] constexpr bool ends_transaction(traffic step) {
    return step == traffic::commit || step == traffic::discard;
}

// An HSET by which kombu notes a delivery; its arguments are HSET, hash, tag and value.
[[nodiscard]] bool notes_delivery(std::span<const std::string_view> args);

// Appends what the command tells; `about` gives db, client and time. `lengths`: what the arguments' lengths
// were, where these are parts; empty = they are whole.
void append_notes(std::string& batch, traffic step, std::span<const std::string_view> args, wire_note about,
                  std::span<const std::uint64_t> lengths = {});

// The message's part of the note, and its size.
void set_message(wire_note& note, std::string_view wire_note::*place, std::string_view message);

}  // namespace broker
