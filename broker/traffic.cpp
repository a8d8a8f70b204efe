#include "broker/traffic.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "broker/kombu_names.hpp"

namespace broker {
namespace {

using enum traffic;

struct arguments : std::span<const std::string_view> {
    std::span<const std::uint64_t> lengths;  // of the whole arguments; empty: these are whole

    [[nodiscard]] std::uint64_t length(std::size_t i) const {
        return i < lengths.size() ? lengths[i] : (*this)[i].size();
    }
};

constexpr std::array<std::pair<std::string_view, traffic>, 24> steps{{
    {"lpush", push_left},
    {"rpush", push_right},
    {"lpop", pop_left},
    {"rpop", pop_right},
    {"brpop", wait},
    {"blpop", wait},
    {"hset", take_note},
    {"hdel", settle},
    {"zrevrangebyscore", sweep},
    {"zrange", sweep},
    {"smembers", route},
    {"sadd", bind},
    {"srem", unbind},
    {"del", remove},
    {"unlink", remove},
    {"publish", publish},
    {"subscribe", listen},
    {"psubscribe", listen_to_pattern},
    {"unsubscribe", leave},
    {"punsubscribe", leave_pattern},
    {"client", name},
    {"hello", name},
    {"exec", commit},
    {"discard", discard},
}};

wire_kind kind_of(traffic step) {
    switch (step) {
        case push_left:
        case push_right:
            return wire_kind::pushed;
        case settle:
            return wire_kind::settled;
        case bind:
            return wire_kind::bound;
        case unbind:
            return wire_kind::unbound;
        case listen:
        case listen_to_pattern:
            return wire_kind::listens;
        case leave:
        case leave_pattern:
            return wire_kind::listens_no_more;
        default:
            return wire_kind::deleted;
    }
}

// Of what a worker has not acknowledged in time. kombu asked by ZREVRANGEBYSCORE key score 0 until 5.6, then
// by ZRANGE key score 0 BYSCORE REV.
bool sweeps(arguments args) {
    if (args.size() <= 3) return false;
    const std::string_view name = args[0];
    if (name.size() != 6) return true;  // not ZRANGE
    return std::any_of(args.begin() + 4, args.end(),
                       [](std::string_view word) { return word == "BYSCORE" || word == "byscore"; });
}

bool is_binding(std::string_view key) {
    return key.find("_kombu.binding.") != std::string_view::npos;
}

void append_pushes(std::string& batch, traffic step, arguments args, wire_note note) {
    if (args[1].starts_with(own_prefix)) return;
    note.kind = wire_kind::pushed;
    note.key = args[1];
    note.extra = step == push_left ? "left" : "right";
    for (std::size_t i = 2; i < args.size(); ++i) {
        set_message(note, &wire_note::text, args[i]);
        note.size = args.length(i);
        append(batch, note);
    }
}

// One note for each argument behind the key.
void append_members(std::string& batch, traffic step, arguments args, wire_note note) {
    note.kind = kind_of(step);
    note.key = args[1];
    for (const auto member : args.subspan(2)) {
        note.text = member;
        append(batch, note);
    }
}

// One for each name.
void append_names(std::string& batch, traffic step, arguments args, wire_note note) {
    note.kind = kind_of(step);
    if (step == listen_to_pattern || step == leave_pattern) note.extra = "pattern";
    if (args.size() == 1) append(batch, note);
    for (const auto name : args.subspan(1)) {
        note.key = name;
        append(batch, note);
    }
}

void append_delivery(std::string& batch, arguments args, wire_note note) {
    if (!notes_delivery(args)) return;
    note.kind = wire_kind::noted;
    note.key = args[1];
    note.text = args[2];
    set_message(note, &wire_note::extra, args[3]);
    note.size = args.length(3);
    append(batch, note);
}

// Its key, and the argument behind it.
void append_one(std::string& batch, wire_kind kind, arguments args, wire_note note) {
    note.kind = kind;
    note.key = args[1];
    if (args.size() > 2) {
        set_message(note, &wire_note::text, args[2]);
        note.size = args.length(2);
    }
    append(batch, note);
}

}  // namespace

traffic traffic_of(std::string_view command_name) {
    const auto found =
        std::find_if(steps.begin(), steps.end(), [&](const auto& s) { return s.first == command_name; });
    return found == steps.end() ? none : found->second;
}

void set_message(wire_note& note, std::string_view wire_note::*place, std::string_view message) {
    note.*place = noted_part(message);
    note.size = message.size();
}

// kombu's value is a list of message, exchange and routing key.
bool notes_delivery(std::span<const std::string_view> args) {
    return args.size() == 4 && (args[1].ends_with("unacked") || args[3].starts_with("[{"));
}

void append_notes(std::string& batch, traffic step, std::span<const std::string_view> words, wire_note about,
                  std::span<const std::uint64_t> lengths) {
    const arguments args{words, lengths};
    switch (step) {
        case push_left:
        case push_right:
            if (args.size() > 2) append_pushes(batch, step, args, about);
            return;
        case take_note:
            return append_delivery(batch, args, about);
        case settle:
            if (args.size() > 2) append_members(batch, step, args, about);
            return;
        case bind:
        case unbind:
            if (args.size() > 2 && is_binding(args[1])) append_members(batch, step, args, about);
            return;
        case sweep:
            if (sweeps(args)) append_one(batch, wire_kind::swept, args, about);
            return;
        case route:
            if (args.size() == 2 && is_binding(args[1])) append_one(batch, wire_kind::routed, args, about);
            return;
        case publish:
            if (args.size() == 3) append_one(batch, wire_kind::published, args, about);
            return;
        case listen:
        case listen_to_pattern:
        case leave:
        case leave_pattern:
        case remove:
            append_names(batch, step, args, about);
            return;
        default:
            return;
    }
}

}  // namespace broker
