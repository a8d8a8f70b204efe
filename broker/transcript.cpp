#include "broker/transcript.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "broker/traffic.hpp"

namespace broker {
namespace {

constexpr std::size_t transaction_bytes_max = std::size_t{1} << 20;
constexpr std::size_t transactions_max = 10'000;  // beyond it none is known any more

std::string lower(std::string_view name) {
    std::string text(name.substr(0, 32));
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; });
    return text;
}

// The arguments' true lengths, where the frame was shortened.
std::vector<std::uint64_t> lengths_in(std::string_view rest) {
    std::vector<std::uint64_t> lengths(rest.size() / sizeof(std::uint64_t));
    if (!lengths.empty()) std::memcpy(lengths.data(), rest.data(), lengths.size() * sizeof(std::uint64_t));
    return lengths;
}

wire_note about(const command_record& record) {
    wire_note note;
    note.db = record.db;
    note.client = record.client;
    note.at_us = record.at_us;
    return note;
}

}  // namespace

void transcript::read(const note_batch& batch, const listener& told) {
    std::string_view notes = batch.notes;
    for (const command_record& record : batch.records) {
        if (record.is == command_record::part::notes) {
            read_notes(notes.substr(0, record.bytes), told);
            notes.remove_prefix(std::min<std::size_t>(record.bytes, notes.size()));
        } else if (record.is == command_record::part::whole) {
            read_whole(record, told);
        } else {
            read_command(record, told);
        }
    }
}

void transcript::read_notes(std::string_view notes, const listener& told) {
    note_reader reader(notes);
    for (wire_note note; reader.next(note);) {
        if (note.kind == wire_kind::gone) queued_.erase(note.client);
        if (note.kind == wire_kind::gap) queued_.clear();
        told(note);
    }
}

void transcript::read_whole(const command_record& record, const listener& told) {
    if (record.failed) return;
    notes_.clear();
    std::string_view rest(record.frame, record.bytes);
    while (!rest.empty()) {
        if (resp::command_scanner().scan(rest, resp::peer_trust::known, scanned_) !=
            resp::scan_status::command)
            return;
        rest.remove_prefix(scanned_.bytes);
        if (scanned_.args.empty() || scanned_.args.size() != scanned_.argument_count) continue;
        const traffic means = traffic_of(lower(scanned_.args[0]));
        if (tells_itself(means)) append_notes(notes_, means, scanned_.args, about(record));
    }
    read_notes(notes_, told);
}

void transcript::read_command(const command_record& record, const listener& told) {
    const std::string_view bytes(record.frame, record.bytes);
    const bool whole = resp::command_scanner().scan(bytes, resp::peer_trust::known, scanned_) ==
                           resp::scan_status::command &&
                       scanned_.args.size() == scanned_.argument_count && !scanned_.args.empty();
    if (record.is == command_record::part::ends) {
        const auto found = queued_.find(record.client);
        if (found == queued_.end()) return;
        const std::string notes = std::move(found->second);
        queued_.erase(found);
        if (!record.failed && whole && traffic_of(lower(scanned_.args[0])) == traffic::commit)
            read_notes(notes, told);
        return;
    }
    if (record.failed || !whole) return;
    notes_.clear();
    const auto lengths = lengths_in(bytes.substr(scanned_.bytes));
    append_notes(notes_, traffic_of(lower(scanned_.args[0])), scanned_.args, about(record), lengths);
    if (record.is == command_record::part::alone) return read_notes(notes_, told);
    if (queued_.size() >= transactions_max) queued_.clear();
    std::string& held = queued_[record.client];
    if (held.size() < transaction_bytes_max) held += notes_;
}

}  // namespace broker
