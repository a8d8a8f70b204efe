#include "bench/load/fanout_book.hpp"

#include <algorithm>

namespace bench {

namespace {
constexpr std::uint32_t seq_max = 100'000'000;  // of one publisher in one step
}

void delivery_faults::operator+=(const delivery_faults& more) {
    lost += more.lost;
    duplicated += more.duplicated;
    reordered += more.reordered;
    strays += more.strays;
}

bool receiver_log::note(std::uint32_t publisher, std::uint32_t seq) {
    if (!from_.holds(publisher) || seq >= seq_max) {
        ++faults_.strays;
        return false;
    }
    progress& at = seen_[publisher - from_.first];
    if (seq == at.next) {
        ++at.next;
        return true;
    }
    if (seq > at.next) {
        for (std::uint32_t gap = at.next; gap < seq; ++gap) at.missing.insert(at.missing.end(), gap);
        at.next = seq + 1;
        return true;
    }
    if (at.missing.erase(seq) > 0) {
        ++faults_.reordered;
        return true;
    }
    ++faults_.duplicated;
    return false;
}

delivery_faults receiver_log::faults(const std::vector<std::uint32_t>& sent) const {
    delivery_faults all = faults_;
    for (std::size_t i = 0; i < seen_.size() && i < sent.size(); ++i)
        all.lost += seen_[i].missing.size() + (sent[i] > seen_[i].next ? sent[i] - seen_[i].next : 0);
    return all;
}

void message_board::note(const stamp& which, std::uint64_t receivers, std::chrono::nanoseconds latency) {
    if (!from_.holds(which.publisher) || which.seq >= seq_max) return;
    auto& messages = messages_[which.publisher - from_.first];
    if (which.seq >= messages.size()) messages.resize(which.seq + 1);
    message& m = messages[which.seq];
    deliveries_ += receivers;
    m.receivers += receivers;
    m.latest = std::max(m.latest, latency);
    if (m.receivers == receivers_) last_.add(m.latest);
}

}  // namespace bench
