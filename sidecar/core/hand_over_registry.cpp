#include "sidecar/core/hand_over_registry.hpp"

#include <algorithm>

namespace sidecar {
namespace {

using guard = std::lock_guard<std::mutex>;
constexpr std::size_t buckets_max = 10'000;
constexpr std::size_t allowed_max = 100'000;

}  // namespace

bool hand_over_registry::follows_all(int db, const std::vector<std::string>& keys, ledger::client_id who) {
    const guard lock(mutex_);
    return std::all_of(keys.begin(), keys.end(),
                       [&](const std::string& key) { return ledger_.follows(db, key, who); });
}

hand_over_registry::ledger::outcome hand_over_registry::delivered(int db, ledger::copy what,
                                                                  ledger::client_id to) {
    const guard lock(mutex_);
    const auto outcome = ledger_.delivered(db, std::move(what), to);
    count();
    return outcome;
}

hand_over_registry::ledger::confirmation hand_over_registry::confirmed(int db, std::string_view hash,
                                                                       std::string_view tag) {
    const guard lock(mutex_);
    auto told = ledger_.confirmed(db, hash, tag);
    count();
    return told;
}

std::vector<std::string> hand_over_registry::asks_again(ledger::client_id who) {
    const guard lock(mutex_);
    auto reserved = ledger_.asks_again(who);
    count();
    return reserved;
}

std::vector<hand_over_registry::ledger::orphan> hand_over_registry::client_gone(ledger::client_id who) {
    const guard lock(mutex_);
    return ledger_.client_gone(who);
}

std::optional<hand_over_registry::ledger::copy> hand_over_registry::take_orphan(int db,
                                                                                std::string_view tag) {
    const guard lock(mutex_);
    auto taken = ledger_.take_orphan(db, tag);
    count();
    return taken;
}

void hand_over_registry::learn(int db, std::string_view hash) {
    const guard lock(mutex_);
    ledger_.learn(db, hash);
}

std::vector<std::string> hand_over_registry::hashes(int db) {
    const guard lock(mutex_);
    return ledger_.hashes(db);
}

std::size_t hand_over_registry::size() {
    const guard lock(mutex_);
    return ledger_.size();
}

std::size_t hand_over_registry::bytes() {
    const guard lock(mutex_);
    return ledger_.bytes();
}

void hand_over_registry::allow(int db, const std::string& tag) {
    const guard lock(mutex_);
    if (allowed_.size() >= allowed_max) allowed_.clear();
    allowed_.emplace(db, tag);
}

bool hand_over_registry::spend(int db, const std::string& tag) {
    const guard lock(mutex_);
    return allowed_.erase({db, tag}) > 0;
}

broker::rate_bucket& rate_table::bucket(int db, std::string_view name) {
    if (buckets_.size() >= buckets_max) buckets_.clear();
    return buckets_[{db, std::string(name)}];
}

bool rate_table::take(int db, std::string_view name, const broker::delivery_rate& rate, std::int64_t now_us) {
    const guard lock(mutex_);
    return bucket(db, name).take(rate, now_us);
}

void rate_table::give_back(int db, std::string_view name) {
    const guard lock(mutex_);
    bucket(db, name).give_back();
}

double rate_table::available(int db, std::string_view name, const broker::delivery_rate& rate,
                             std::int64_t now_us) {
    const guard lock(mutex_);
    return bucket(db, name).available(rate, now_us);
}

std::int64_t rate_table::wait_us(int db, std::string_view name, const broker::delivery_rate& rate,
                                 std::int64_t now_us) {
    const guard lock(mutex_);
    return bucket(db, name).wait_us(rate, now_us);
}

}  // namespace sidecar
