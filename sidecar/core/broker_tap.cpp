#include "sidecar/core/broker_tap.hpp"

#include <algorithm>

#include "sidecar/core/process_state.hpp"

namespace sidecar {

namespace {

constexpr std::size_t batch_bytes_max = std::size_t{32} << 10;
constexpr std::chrono::milliseconds batch_age_max{20};
// Held back because upstream does not answer; beyond this the observer is told that it missed something.
constexpr std::size_t held_bytes_max = std::size_t{8} << 20;

std::string without(std::string_view bytes, std::vector<std::pair<std::size_t, std::size_t>> cuts) {
    std::sort(cuts.begin(), cuts.end());
    std::string kept;
    std::size_t at = 0;
    for (const auto& [begin, end] : cuts) {
        kept.append(bytes.substr(at, begin - at));
        at = end;
    }
    return kept.append(bytes.substr(at));
}

}  // namespace

std::uint32_t broker_tap::expect(std::size_t begin, tells what) {
    const auto number = first_sealed_ + static_cast<std::uint32_t>(sealed_.size());
    std::uint32_t ticket = first_ticket_ + static_cast<std::uint32_t>(expectations_.size());
    if (ticket == 0) {
        expectations_.push_back({number, true, what, 0, 0});
        ++ticket;
    }
    expectations_.push_back({number, false, what, begin, open_.size()});
    ++open_expected_;
    return ticket;
}

// Nil is the answer of a transaction that did not run.
void broker_tap::answered(std::uint32_t ticket, int db, std::string_view reply) {
    const bool nil = reply.starts_with("*-1") || reply.starts_with('_');
    settle(ticket, db, !nil && !reply.starts_with('-'));
}

void broker_tap::settle(std::uint32_t ticket, int db, bool good) {
    const std::uint32_t index = ticket - first_ticket_;
    if (index >= expectations_.size() || expectations_[index].settled) return;
    expectation& e = expectations_[index];
    e.settled = true;
    const std::uint32_t place = e.batch - first_sealed_;
    const bool is_open = place == sealed_.size();
    auto& failed = is_open ? open_failed_ : sealed_[place].failed;
    --(is_open ? open_expected_ : sealed_[place].expected);
    if (!good) failed.emplace_back(e.begin, e.end);
    if (good && e.what == tells::delivery && on_delivery)
        on_delivery(
            db, std::string_view(is_open ? open_ : sealed_[place].bytes).substr(e.begin, e.end - e.begin));
    while (!expectations_.empty() && expectations_.front().settled) {
        expectations_.pop_front();
        ++first_ticket_;
    }
    if (!is_open && place == 0 && sealed_[0].expected == 0) hand_on();
}

void broker_tap::seal() {
    sealed_bytes_ += open_.size();
    // A short batch is copied, so that whoever waits for it does not hold a whole buffer.
    const bool is_short = open_.size() < batch_bytes_max / 4;
    sealed_.push_back(
        {is_short ? std::string(open_) : std::move(open_), open_expected_, std::move(open_failed_)});
    if (!is_short) open_ = {};
    open_.clear();
    open_.reserve(batch_bytes_max + batch_bytes_max / 4);
    open_failed_ = {};
    open_expected_ = 0;
    empty_before_ = true;
    hand_on();
    if (sealed_bytes_ > held_bytes_max) drop_all();
}

void broker_tap::hand_on() {
    while (!sealed_.empty() && sealed_.front().expected == 0) {
        sealed_batch& next = sealed_.front();
        sealed_bytes_ -= next.bytes.size();
        if (process_.broker_notes)
            process_.broker_notes(next.failed.empty() ? std::move(next.bytes)
                                                      : without(next.bytes, std::move(next.failed)));
        sealed_.pop_front();
        ++first_sealed_;
    }
}

// Answers to what is forgotten here find no expectation.
void broker_tap::drop_all() {
    dropped_ += sealed_.size();
    first_sealed_ += static_cast<std::uint32_t>(sealed_.size());
    sealed_.clear();
    sealed_bytes_ = 0;
    first_ticket_ += static_cast<std::uint32_t>(expectations_.size());
    if (first_ticket_ == 0) ++first_ticket_;
    expectations_.clear();
    broker::wire_note gap;
    gap.kind = broker::wire_kind::gap;
    broker::append(open_, gap);
}

void broker_tap::finish_turn(time_point now) {
    if (open_.empty()) return;
    if (std::exchange(empty_before_, false)) opened_at_ = now;
    if (open_.size() >= batch_bytes_max) seal();
}

void broker_tap::on_time(time_point now) {
    if (!open_.empty() && now - opened_at_ >= batch_age_max) seal();
}

}  // namespace sidecar
