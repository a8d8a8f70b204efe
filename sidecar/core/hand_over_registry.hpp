#pragma once
// broker::hand_over for all shards: a worker pops on one connection and notes on another, which may sit on
// any. And the tokens of delivery rates, which all shards spend together. One lock each, taken only by a
// broker's pops and notes.

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/hand_over.hpp"
#include "broker/rate_bucket.hpp"

namespace sidecar {

class hand_over_registry {
public:
    using ledger = broker::hand_over;

    [[nodiscard]] bool follows_all(int db, const std::vector<std::string>& keys, ledger::client_id who);
    ledger::outcome delivered(int db, ledger::copy what, ledger::client_id to);
    ledger::confirmation confirmed(int db, std::string_view hash, std::string_view tag);
    std::vector<std::string> asks_again(ledger::client_id who);
    [[nodiscard]] std::vector<ledger::orphan> client_gone(ledger::client_id who);
    [[nodiscard]] std::optional<ledger::copy> take_orphan(int db, std::string_view tag);
    void learn(int db, std::string_view hash);
    [[nodiscard]] std::vector<std::string> hashes(int db);
    [[nodiscard]] std::size_t size();
    // Without the lock: no message waits to be confirmed. What a worker was given before it sent what is
    // being read now is counted.
    [[nodiscard]] bool empty() const { return copies_.load(std::memory_order_acquire) == 0; }
    [[nodiscard]] std::size_t bytes();
    // A redelivery that has been counted passes once.
    void allow(int db, const std::string& tag);
    bool spend(int db, const std::string& tag);

private:
    void count() { copies_.store(ledger_.size(), std::memory_order_release); }

    std::mutex mutex_;
    std::atomic<std::size_t> copies_{0};
    ledger ledger_;
    std::set<std::pair<int, std::string>> allowed_;
};

class rate_table {
public:
    [[nodiscard]] bool take(int db, std::string_view name, const broker::delivery_rate& rate,
                            std::int64_t now_us);
    void give_back(int db, std::string_view name);
    [[nodiscard]] double available(int db, std::string_view name, const broker::delivery_rate& rate,
                                   std::int64_t now_us);
    [[nodiscard]] std::int64_t wait_us(int db, std::string_view name, const broker::delivery_rate& rate,
                                       std::int64_t now_us);

private:
    broker::rate_bucket& bucket(int db, std::string_view name);
    std::mutex mutex_;
    std::map<std::pair<int, std::string>, broker::rate_bucket> buckets_;
};

}  // namespace sidecar
