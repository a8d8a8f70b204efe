#pragma once
// channels::receive_ledger for all shards: a process of the application spreads its connections over them, so
// a pop, its confirmation and its cleanup arrive anywhere. One lock, taken by these steps of the layer only.

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "channels/receive_ledger.hpp"

namespace sidecar {

class receive_registry {
public:
    using ledger = channels::receive_ledger;

    [[nodiscard]] bool knows(int db, std::string_view key);
    ledger::cleanup_verdict cleanup(int db, std::string_view key, ledger::receiver_id by,
                                    std::int64_t now_ms);
    bool delivered(int db, std::string_view key, ledger::message what, ledger::receiver_id to,
                   std::int64_t now_ms);
    ledger::confirmation confirm(int db, std::string_view key, std::string_view member,
                                 ledger::receiver_id by);
    [[nodiscard]] std::optional<ledger::message> clean(int db, std::string_view key, ledger::receiver_id by);
    struct orphan {
        int db;
        ledger::orphan what;
    };
    [[nodiscard]] std::vector<orphan> receiver_gone(ledger::receiver_id who);
    [[nodiscard]] bool take_orphan(int db, std::string_view key, std::string_view member);
    void forget(int db, std::string_view key, std::string_view member);
    void sweep(std::int64_t now_ms);
    [[nodiscard]] std::size_t size();
    [[nodiscard]] std::size_t bytes();

private:
    std::mutex mutex_;
    ledger ledger_;
};

}  // namespace sidecar
