#include "sidecar/core/broker_tap.hpp"

#include <algorithm>
#include <cstring>

#include "broker/traffic.hpp"
#include "sidecar/core/process_state.hpp"

namespace sidecar {

namespace {

constexpr std::size_t batch_bytes_max = std::size_t{1} << 20;
constexpr std::size_t batch_records = 4096;
constexpr std::size_t records_at_first = 1024;
constexpr std::chrono::milliseconds batch_age_max{20};
// Held back because upstream does not answer; beyond this the observer is told that it missed something.
constexpr std::size_t held_bytes_max = std::size_t{8} << 20;
constexpr std::size_t held_batches_max = 10'000;
// Of dropped batches, so far; beyond it even who is to be answered is forgotten.
constexpr std::size_t shells_max = 30'000;
constexpr std::string_view discard = "*1\r\n$7\r\nDISCARD\r\n";

void add_text(std::string& to, std::string_view text) {
    const auto length = static_cast<std::uint32_t>(text.size());
    char raw[sizeof length];
    std::memcpy(raw, &length, sizeof length);
    to.append(raw, sizeof raw).append(text);
}

std::string_view take_text(std::string_view& from) {
    std::uint32_t length = 0;
    std::memcpy(&length, from.data(), sizeof length);
    const std::string_view text = from.substr(sizeof length, length);
    from.remove_prefix(sizeof length + length);
    return text;
}

}  // namespace

broker_tap::broker_tap(process_state& process) : process_(process) {}

void broker_tap::tell(const broker::wire_note& note) {
    const std::size_t before = notes_.size();
    broker::append(notes_, note);
    count_notes(notes_.size() - before);
}

void broker_tap::tell_all(std::string_view notes) {
    notes_.append(notes);
    count_notes(notes.size());
}

// A record of notes counts all that come before the next command.
void broker_tap::count_notes(std::size_t bytes) {
    if (bytes == 0) return;
    const bool behind_notes = records() > 0 && (next_ - 1)->is == broker::command_record::part::notes;
    broker::command_record& what = behind_notes ? *(next_ - 1) : add_record();
    what.bytes += static_cast<std::uint32_t>(bytes);
}

broker::command_record& broker_tap::add_record() {
    if (next_ == room_end_) grow();
    *next_ = {};
    return *next_++;
}

void broker_tap::record_slowly(upstream_queue& queue, sender by, broker::command_record::part is,
                               std::uint32_t bytes, std::uint32_t delivery) {
    broker::command_record& what = add_record();
    what = {queue.bytes_end() - bytes, by.client, by.at_us, bytes, delivery, by.db, is, false, false};
    keep_bytes(queue, what);
    issue_ticket(queue.back());
}

void broker_tap::keep_bytes(upstream_queue& queue, broker::command_record& what) {
    if (what.bytes > broker::whole_message_bytes_max) return keep_copy(what);
    auto [block, capacity, is_new] = queue.keep_back_block();
    pinned_ = reinterpret_cast<std::uintptr_t>(block.get());
    pinned_room_ = capacity;
    for (const auto& each : pins_)
        if (each == block) return;
    pins_.push_back(std::move(block));
    if (is_new) pinned_bytes_ += capacity;
}

// Of a long frame a short copy is kept instead of its block.
void broker_tap::keep_copy(broker::command_record& what) {
    const std::string bytes = broker::shortened({what.frame, what.bytes});
    const auto copy = std::make_shared_for_overwrite<char[]>(bytes.size());
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    what.frame = copy.get();
    what.bytes = static_cast<std::uint32_t>(bytes.size());
    pins_.push_back(copy);
    pinned_bytes_ += bytes.size();
}

void broker_tap::record_reset(const sender& by) {
    broker::command_record& what = add_record();
    what.frame = discard.data();
    what.bytes = discard.size();
    what.client = by.client;
    what.db = by.db;
    what.is = broker::command_record::part::ends;
    what.settled = true;
}

void broker_tap::add_delivery(std::string& deliveries, std::string_view hash, std::string_view tag) {
    add_text(deliveries, hash);
    add_text(deliveries, tag);
}

std::uint32_t broker_tap::expect(std::string_view deliveries) {
    if (deliveries.empty()) return 0;
    if (free_deliveries_.empty()) {
        deliveries_.emplace_back(deliveries);
        return static_cast<std::uint32_t>(deliveries_.size());
    }
    const std::uint32_t number = free_deliveries_.back();
    free_deliveries_.pop_back();
    deliveries_[number - 1].assign(deliveries);
    return number;
}

void broker_tap::deliver(broker::command_record& what, int db) {
    const std::uint32_t delivery = std::exchange(what.delivery, 0);
    if ((delivery & delivers_frames) == 0) return deliver_text(delivery, what.failed, db);
    if (what.failed) return;
    const std::uint32_t offset = delivery & ~delivers_frames;
    const std::string_view frames(what.frame + offset, what.bytes - offset);
    if (!begins_as_known(frames, db)) deliver_frames(frames, db);
}

void broker_tap::deliver_text(std::uint32_t delivery, bool failed, int db) {
    std::string& text = deliveries_[delivery - 1];
    for (std::string_view rest = text; !failed && on_delivery && !rest.empty();) {
        const std::string_view hash = take_text(rest);
        on_delivery(db, hash, take_text(rest));
    }
    constexpr std::size_t kept_bytes_max = 1024;
    if (text.capacity() > kept_bytes_max) text = {};
    text.clear();
    free_deliveries_.push_back(delivery);
}

// Without a copy that waits to be confirmed there is only the hash to be learnt, and that is the same as ever
// when the frames begin as the ones before.
bool broker_tap::begins_as_known(std::string_view frames, int db) const {
    return known_hash_db_ == db && process_.hand_overs.empty() && frames.size() > known_hash_.size() &&
           std::memcmp(frames.data(), known_hash_.data(), known_hash_.size()) == 0;
}

void broker_tap::deliver_frames(std::string_view frames, int db) {
    const char* const begin = frames.data();
    for (; !frames.empty(); frames.remove_prefix(scanned_.bytes)) {
        if (resp::command_scanner().scan(frames, resp::peer_trust::known, scanned_) !=
            resp::scan_status::command)
            return;
        const auto& args = scanned_.args;
        if (!broker::notes_delivery(args)) continue;
        if (on_delivery) on_delivery(db, args[1], args[2]);
        if (frames.data() != begin) continue;
        known_hash_db_ = db;
        known_hash_.assign(begin, args[1].data() + args[1].size());
    }
}

void broker_tap::settle(std::uint32_t ticket, int db, bool good) {
    const auto behind = static_cast<std::uint16_t>(open_number_ - (ticket >> 16U));
    if (behind > sealed_.size()) return;  // of a batch that is forgotten
    gathered* const where = behind == 0 ? nullptr : &sealed_[sealed_.size() - behind];
    const std::size_t place = (ticket & 0xFFFFU) * ticket_unit / sizeof(broker::command_record);
    if (place > (where == nullptr ? records() : where->batch.records.size())) return;
    broker::command_record& what = (where == nullptr ? room_.get() : where->batch.records.begin())[place - 1];
    if (std::exchange(what.settled, true)) return;
    what.failed = !good;
    --(where == nullptr ? expected_ : where->expected);
    if (what.delivery != 0) deliver(what, db);
    if (where == nullptr || where->expected > 0) return;
    if (where->lost) where->batch = {};
    if (where == &sealed_.front()) hand_on();
}

void broker_tap::grow() {
    if (records() >= records_max) seal();
    const std::size_t before = records();
    const std::size_t wanted = before == 0 ? records_wanted_ : 2 * before;
    make_room(std::clamp(wanted, records_at_first, records_max));
}

void broker_tap::make_room(std::size_t capacity) {
    const std::size_t before = records();
    auto larger = std::make_unique_for_overwrite<broker::command_record[]>(capacity);
    std::copy_n(room_.get(), before, larger.get());
    room_ = std::move(larger);
    next_ = room_.get() + before;
    room_end_ = room_.get() + capacity;
    place_tickets();
}

// What was written, in memory of its size: many batches may be held. The next one is taken to be as large.
broker::record_list broker_tap::take_records() {
    const std::size_t count = records();
    records_wanted_ = count + count / 4;
    next_ = room_.get();
    if (count < static_cast<std::size_t>(room_end_ - next_) / 2) {
        broker::record_list copy{std::make_unique_for_overwrite<broker::command_record[]>(count), count};
        std::copy_n(room_.get(), count, copy.begin());
        return copy;
    }
    next_ = room_end_ = nullptr;
    return {std::move(room_), count};
}

// The number stands above the 16 bits that count units.
void broker_tap::place_tickets() {
    ticket_base_ =
        reinterpret_cast<std::uintptr_t>(room_.get()) - (std::uintptr_t{open_number_} << 16U) * ticket_unit;
}

void broker_tap::seal() {
    sealed_bytes_ += weight();
    const std::size_t note_bytes = std::min(notes_.size(), batch_bytes_max);
    gathered& last = sealed_.emplace_back();
    last.batch = {take_records(), std::exchange(notes_, {}), std::exchange(pins_, {}),
                  std::exchange(pinned_bytes_, 0)};
    last.expected = std::exchange(expected_, 0);
    notes_.reserve(note_bytes + note_bytes / 4);
    ++open_number_;
    place_tickets();
    pinned_room_ = 0;
    empty_before_ = true;
    hand_on();
    if (sealed_bytes_ > held_bytes_max || sealed_.size() > held_batches_max) drop_all();
}

void broker_tap::hand_on() {
    while (!sealed_.empty() && sealed_.front().expected == 0) {
        gathered next = std::move(sealed_.front());
        sealed_.pop_front();
        if (next.lost) continue;
        sealed_bytes_ -= next.batch.weight();
        if (process_.broker_notes) process_.broker_notes(std::move(next.batch));
    }
}

// What is held is not told any more. Of batches with records that are still to be answered all stays but the
// notes, since deliveries are followed by them.
void broker_tap::drop_all() {
    for (gathered& each : sealed_) {
        if (!std::exchange(each.lost, true)) ++dropped_;
        if (each.expected == 0) each.batch = {};
        each.batch.notes = {};
    }
    sealed_bytes_ = 0;
    if (sealed_.size() > shells_max) sealed_.clear();
    broker::wire_note gap;
    gap.kind = broker::wire_kind::gap;
    tell(gap);
}

void broker_tap::finish_turn(time_point now) {
    if (records() == 0) return;
    if (std::exchange(empty_before_, false)) opened_at_ = now;
    if (weight() >= batch_bytes_max || records() >= batch_records) seal();
}

void broker_tap::on_time(time_point now) {
    if (records() > 0 && now - opened_at_ >= batch_age_max) seal();
}

}  // namespace sidecar
