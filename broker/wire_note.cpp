#include "broker/wire_note.hpp"

#include <cstring>

namespace broker {
namespace {

// Of one process to itself: in the machine's own byte order.
struct header {
    std::uint64_t client;
    std::int64_t at_us;
    std::uint64_t size;
    std::uint32_t key_bytes;
    std::uint32_t text_bytes;
    std::uint32_t extra_bytes;
    std::uint8_t kind;
    std::uint8_t db;
};

std::uint32_t length_of(std::string_view text) {
    return static_cast<std::uint32_t>(text.size());
}

std::string_view take(std::string_view& rest, std::uint32_t bytes) {
    const std::string_view taken = rest.substr(0, bytes);
    rest.remove_prefix(bytes);
    return taken;
}

}  // namespace

std::string_view noted_part(std::string_view message) {
    return message.size() <= whole_message_bytes_max ? message
                                                     : message.substr(message.size() - message_tail_bytes);
}

void append(std::string& batch, const wire_note& note) {
    header h{};
    h.client = note.client;
    h.at_us = note.at_us;
    h.size = note.size;
    h.key_bytes = length_of(note.key);
    h.text_bytes = length_of(note.text);
    h.extra_bytes = length_of(note.extra);
    h.kind = static_cast<std::uint8_t>(note.kind);
    h.db = note.db;
    const std::size_t at = batch.size();
    batch.resize(at + sizeof h);
    std::memcpy(batch.data() + at, &h, sizeof h);
    batch.append(note.key).append(note.text).append(note.extra);
}

bool note_reader::next(wire_note& into) {
    header h{};
    if (rest_.size() < sizeof h) return false;
    std::memcpy(&h, rest_.data(), sizeof h);
    const std::uint64_t bytes = std::uint64_t{h.key_bytes} + h.text_bytes + h.extra_bytes;
    if (h.kind >= wire_kinds || rest_.size() - sizeof h < bytes) {
        rest_ = {};
        return false;
    }
    rest_.remove_prefix(sizeof h);
    into.kind = static_cast<wire_kind>(h.kind);
    into.db = h.db;
    into.client = h.client;
    into.at_us = h.at_us;
    into.size = h.size;
    into.key = take(rest_, h.key_bytes);
    into.text = take(rest_, h.text_bytes);
    into.extra = take(rest_, h.extra_bytes);
    return true;
}

}  // namespace broker
