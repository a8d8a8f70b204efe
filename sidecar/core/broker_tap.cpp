#include "sidecar/core/broker_tap.hpp"

#include <algorithm>
#include <cstring>

#include "broker/traffic.hpp"
#include "sidecar/core/process_state.hpp"

namespace sidecar {

namespace {

constexpr std::size_t batch_bytes_max = std::size_t{1} << 20;
constexpr std::size_t batch_records = 4096;
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

void broker_tap::record_slowly(upstream_queue& queue, sender by, broker::command_record::part is,
                               std::uint32_t bytes, std::uint32_t delivery) {
    if (open_.batch.records.size() == open_.batch.records.capacity()) grow();
    broker::command_record what{
        queue.bytes_end() - bytes, by.client, by.at_us, bytes, delivery, by.db, is, false, false};
    keep_bytes(queue, what);
    put(queue, what);
}

// Of a long frame a short copy is kept instead of its block.
void broker_tap::keep_bytes(upstream_queue& queue, broker::command_record& what) {
    auto& batch = open_.batch;
    if (what.bytes > broker::whole_message_bytes_max) {
        const std::string bytes = broker::shortened({what.frame, what.bytes});
        const auto copy = std::make_shared_for_overwrite<char[]>(bytes.size());
        std::memcpy(copy.get(), bytes.data(), bytes.size());
        what.frame = copy.get();
        what.bytes = static_cast<std::uint32_t>(bytes.size());
        batch.pins.push_back(copy);
        batch.pinned_bytes += bytes.size();
        return;
    }
    auto [block, capacity, is_new] = queue.keep_back_block();
    pinned_ = reinterpret_cast<std::uintptr_t>(block.get());
    pinned_room_ = capacity;
    for (const auto& each : batch.pins)
        if (each == block) return;
    batch.pins.push_back(std::move(block));
    if (is_new) batch.pinned_bytes += capacity;
}

void broker_tap::record_reset(const sender& by) {
    if (open_.batch.records.size() >= records_max) seal();
    broker::command_record& what = open_.batch.records.emplace_back();
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
    if ((delivery & delivers_frames) != 0) {
        if (!what.failed)
            deliver_frames(std::string_view(what.frame, what.bytes).substr(delivery & ~delivers_frames), db);
        return;
    }
    std::string& text = deliveries_[delivery - 1];
    for (std::string_view rest = text; !what.failed && on_delivery && !rest.empty();) {
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
void broker_tap::deliver_frames(std::string_view frames, int db) {
    if (!known_hash_.empty() && known_hash_.front() == static_cast<char>(db) && process_.hand_overs.empty() &&
        frames.starts_with(std::string_view(known_hash_).substr(1)))
        return;
    const char* const begin = frames.data();
    for (; !frames.empty(); frames.remove_prefix(scanned_.bytes)) {
        if (resp::command_scanner().scan(frames, resp::peer_trust::known, scanned_) !=
            resp::scan_status::command)
            return;
        const auto& args = scanned_.args;
        if (!broker::notes_delivery(args)) continue;
        if (on_delivery) on_delivery(db, args[1], args[2]);
        if (frames.data() != begin) continue;
        known_hash_.assign(1, static_cast<char>(db));
        known_hash_.append(begin, args[1].data() + args[1].size());
    }
}

void broker_tap::settle(std::uint32_t ticket, int db, bool good) {
    const auto behind = static_cast<std::uint16_t>(open_number_ - (ticket >> 16U));
    if (behind > sealed_.size()) return;  // of a batch that is forgotten
    gathered& where = behind == 0 ? open_ : sealed_[sealed_.size() - behind];
    if ((ticket & 0xFFFFU) > where.batch.records.size()) return;
    broker::command_record& what = where.batch.records[(ticket & 0xFFFFU) - 1];
    if (std::exchange(what.settled, true)) return;
    what.failed = !good;
    --where.expected;
    if (what.delivery != 0) deliver(what, db);
    if (behind == 0 || where.expected > 0) return;
    if (where.lost) where.batch = {};
    if (&where == &sealed_.front()) hand_on();
}

void broker_tap::grow() {
    if (open_.batch.records.size() >= records_max) seal();
    open_.batch.records.reserve(std::max<std::size_t>(2 * open_.batch.records.size(), 32));
}

void broker_tap::seal() {
    sealed_bytes_ += open_.batch.weight();
    // The next one is taken to be as large.
    const std::size_t records = open_.batch.records.size();
    const std::size_t note_bytes = std::min(open_.batch.notes.size(), batch_bytes_max);
    sealed_.push_back(std::exchange(open_, {}));
    open_.batch.records.reserve(std::max<std::size_t>(records + records / 4, 32));
    open_.batch.notes.reserve(note_bytes + note_bytes / 4);
    ++open_number_;
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
    if (open_.batch.empty()) return;
    if (std::exchange(empty_before_, false)) opened_at_ = now;
    if (open_.batch.weight() >= batch_bytes_max || open_.batch.records.size() >= batch_records) seal();
}

void broker_tap::on_time(time_point now) {
    if (!open_.batch.empty() && now - opened_at_ >= batch_age_max) seal();
}

}  // namespace sidecar
