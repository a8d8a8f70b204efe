#include "sidecar/core/receive_registry.hpp"

#include <utility>

namespace sidecar {
namespace {

using guard = std::lock_guard<std::mutex>;

// Queues of several dbs share the ledger. The db stands in front, since the end tells the kind of queue.
std::string place(int db, std::string_view key) {
    std::string text(1, static_cast<char>(db));
    text.append(key);
    return text;
}

}  // namespace

bool receive_registry::knows(int db, std::string_view key) {
    const guard lock(mutex_);
    return ledger_.knows(place(db, key));
}

receive_registry::ledger::cleanup_verdict receive_registry::cleanup(int db, std::string_view key,
                                                                    ledger::receiver_id by,
                                                                    std::int64_t now_ms) {
    const guard lock(mutex_);
    return ledger_.cleanup(place(db, key), by, now_ms);
}

bool receive_registry::delivered(int db, std::string_view key, ledger::message what, ledger::receiver_id to,
                                 std::int64_t now_ms) {
    const guard lock(mutex_);
    return ledger_.delivered(place(db, key), std::move(what), to, now_ms);
}

receive_registry::ledger::confirmation receive_registry::confirm(int db, std::string_view key,
                                                                 std::string_view member,
                                                                 ledger::receiver_id by) {
    const guard lock(mutex_);
    return ledger_.confirm(place(db, key), member, by);
}

std::optional<receive_registry::ledger::message> receive_registry::clean(int db, std::string_view key,
                                                                         ledger::receiver_id by) {
    const guard lock(mutex_);
    return ledger_.clean(place(db, key), by);
}

std::vector<receive_registry::orphan> receive_registry::receiver_gone(ledger::receiver_id who) {
    const guard lock(mutex_);
    std::vector<orphan> found;
    for (auto& o : ledger_.receiver_gone(who)) {
        const int db = static_cast<unsigned char>(o.key.front());
        o.key.erase(0, 1);
        found.push_back({db, std::move(o)});
    }
    return found;
}

bool receive_registry::take_orphan(int db, std::string_view key, std::string_view member) {
    const guard lock(mutex_);
    return ledger_.take_orphan(place(db, key), member);
}

void receive_registry::forget(int db, std::string_view key, std::string_view member) {
    const guard lock(mutex_);
    ledger_.forget(place(db, key), member);
}

void receive_registry::sweep(std::int64_t now_ms) {
    const guard lock(mutex_);
    ledger_.sweep(now_ms);
}

std::size_t receive_registry::size() {
    const guard lock(mutex_);
    return ledger_.size();
}

std::size_t receive_registry::bytes() {
    const guard lock(mutex_);
    return ledger_.bytes();
}

}  // namespace sidecar
