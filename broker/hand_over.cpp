#include "broker/hand_over.hpp"

#include <algorithm>
#include <utility>

#include "broker/kombu_names.hpp"

namespace broker {
namespace {

constexpr std::size_t hashes_max = 64;     // of a db
constexpr std::size_t names_max = 10'000;  // of each table; beyond it the table begins anew
// A list of which no message was ever confirmed gets so many back: its consumers may be of the kind that does
// not confirm, and would be given the same message for ever.
constexpr int returns_unconfirmed_max = 3;
constexpr std::string_view hash_name = "unacked";

template <class Table>
void bound(Table& table) {
    if (table.size() >= names_max) table.clear();
}

bool is_work_list(std::string_view key) {
    return classify_key(key).kind == key_kind::list;
}

}  // namespace

std::string hand_over::place(int db, std::string_view name) {
    std::string text(1, static_cast<char>(db));
    text.append(name);
    return text;
}

bool hand_over::follows(int db, std::string_view key, client_id who) const {
    if (careless_clients_.contains(who) || !is_work_list(key)) return false;
    const std::string at = place(db, key);
    if (confirming_.contains(at)) return true;
    if (careless_.contains(at)) return false;
    const auto known = hashes_.find(db);
    if (known == hashes_.end()) return false;
    return std::any_of(known->second.begin(), known->second.end(), [&](std::string_view hash) {
        if (!hash.ends_with(hash_name)) return false;
        const std::string_view prefix = hash.substr(0, hash.size() - hash_name.size());
        return key.starts_with(prefix) && is_work_list(key.substr(prefix.size()));
    });
}

hand_over::outcome hand_over::delivered(int db, copy what, client_id to) {
    if (what.tag.empty() || !follows(db, what.key, to)) return outcome::not_followed;
    const std::size_t bytes = what.message.size();
    if (bytes_ + bytes > bytes_max_) return outcome::no_room;
    const std::string at = place(db, what.tag);
    if (const auto old = copies_.find(at); old != copies_.end()) erase(old);
    bytes_ += bytes;
    copies_[at] = {std::move(what), to, false};
    popped_[to].push_back(at);
    return outcome::followed;
}

void hand_over::erase(copy_map::iterator at) {
    bytes_ -= at->second.what.message.size();
    const auto theirs = popped_.find(at->second.by);
    if (theirs != popped_.end()) {
        std::erase(theirs->second, at->first);
        if (theirs->second.empty()) popped_.erase(theirs);
    }
    copies_.erase(at);
}

void hand_over::learn(int db, std::string_view hash) {
    auto& known = hashes_[db];
    if (known.size() < hashes_max) known.emplace(hash);
}

std::vector<std::string> hand_over::hashes(int db) const {
    const auto known = hashes_.find(db);
    if (known == hashes_.end()) return {};
    return {known->second.begin(), known->second.end()};
}

hand_over::confirmation hand_over::confirmed(int db, std::string_view hash, std::string_view tag) {
    confirmation told;
    const auto& known = hashes_[db];
    told.new_hash = !known.contains(hash) && known.size() < hashes_max;
    if (told.new_hash) learn(db, hash);
    const auto found = copies_.find(place(db, tag));
    if (found == copies_.end()) return told;
    told.known = true;
    told.reserved = found->second.what.reserved;
    std::string list = place(db, found->second.what.key);
    careless_.erase(list);
    bound(confirming_);
    confirming_.insert(std::move(list));
    erase(found);
    return told;
}

std::vector<std::string> hand_over::asks_again(client_id who) {
    const auto theirs = popped_.find(who);
    if (theirs == popped_.end()) return {};
    std::vector<std::string> reserved;
    const std::vector<std::string> names = theirs->second;
    for (const auto& name : names) {
        const auto found = copies_.find(name);
        const copy& what = found->second.what;
        if (!what.reserved.empty()) reserved.push_back(what.reserved);
        const std::string list = name.front() + what.key;
        if (!confirming_.contains(list)) {
            bound(careless_);
            careless_.insert(list);
        }
        erase(found);
    }
    bound(careless_clients_);
    careless_clients_.insert(who);
    return reserved;
}

void hand_over::forget(int db, std::string_view tag) {
    const auto found = copies_.find(place(db, tag));
    if (found != copies_.end()) erase(found);
}

std::vector<hand_over::orphan> hand_over::client_gone(client_id who) {
    careless_clients_.erase(who);
    std::vector<orphan> found;
    const auto theirs = popped_.find(who);
    if (theirs == popped_.end()) return found;
    for (const auto& name : theirs->second) {
        copies_.find(name)->second.orphaned = true;
        found.push_back({static_cast<unsigned char>(name.front()), name.substr(1)});
    }
    return found;
}

std::optional<hand_over::copy> hand_over::take_orphan(int db, std::string_view tag) {
    const auto found = copies_.find(place(db, tag));
    if (found == copies_.end() || !found->second.orphaned) return std::nullopt;
    copy what = std::move(found->second.what);
    found->second.what.message.clear();
    bytes_ -= what.message.size();
    erase(found);
    const std::string list = place(db, what.key);
    if (confirming_.contains(list)) return what;
    bound(returned_);
    if (++returned_[list] >= returns_unconfirmed_max) careless_.insert(list);
    return what;
}

}  // namespace broker
