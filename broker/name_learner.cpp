#include "broker/name_learner.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace broker {
namespace {

constexpr std::string_view binding_word = "_kombu.binding.";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::optional<int> number(std::string_view digits) {
    int value = 0;
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (ec != std::errc{} || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
    return value;
}

// "…SEPdigits" → where the digits begin; npos when the key does not end so.
std::size_t trailing_digits(std::string_view key) {
    std::size_t at = key.size();
    while (at > 0 && is_digit(key[at - 1])) --at;
    return at == key.size() ? std::string_view::npos : at;
}

}  // namespace

bool name_learner::add_prefix(std::uint8_t db, std::string_view prefix) {
    auto& known = prefixes_[db];
    if (prefix.empty() || known.contains(prefix) || known.size() >= prefixes_max) return false;
    known.emplace(prefix);
    ++generation_;
    return true;
}

bool name_learner::saw_binding(std::uint8_t db, std::string_view key) {
    const std::size_t at = key.find(binding_word);
    return at != std::string_view::npos && add_prefix(db, key.substr(0, at));
}

bool name_learner::saw_channel(std::uint8_t db, std::string_view channel) {
    // Only channels that are Celery's by name: others may hold anything before a "/2.".
    const auto named = parse_fanout(channel);
    if (!named || named->db != db) return false;
    if (named->exchange != event_exchange && named->exchange != pidbox_exchange) return false;
    return add_prefix(db, named->prefix);
}

bool name_learner::saw_result(std::uint8_t db, std::string_view channel) {
    const key_role role = classify_key(channel);
    if (role.kind != key_kind::result || role.prefix.empty() || role.prefix.size() > 200) return false;
    auto& known = results_[db];
    if (known.contains(role.prefix)) return false;
    if (known.size() >= result_prefixes_max) {
        ++results_refused_;
        return false;
    }
    known.emplace(role.prefix);
    return true;
}

std::vector<std::string> name_learner::result_prefixes(std::uint8_t db) const {
    const auto known = results_.find(db);
    if (known == results_.end()) return {};
    return {known->second.begin(), known->second.end()};
}

bool name_learner::add_style(std::uint8_t db, const learnt_lists& lists) {
    const broker_id broker = broker_of(db, lists.queues.front());
    auto& known = styles_[broker];
    const naming style{broker.prefix, lists.separator, lists.steps};
    auto found =
        std::find_if(known.begin(), known.end(), [&](const auto& each) { return each.style == style; });
    if (found == known.end()) {
        if (known.size() >= styles_max) return false;
        known.push_back({style, {}});
        found = known.end() - 1;
    }
    bool fresh = false;
    for (const std::string& base : lists.queues) {
        if (found->bases.size() >= bases_max) break;
        fresh |= found->bases.insert(base).second;
    }
    if (fresh) ++generation_;
    return fresh;
}

bool name_learner::saw_pop(std::uint8_t db, std::span<const std::string_view> keys) {
    if (keys.size() < 2 || keys.size() > 4'000) return false;
    const learnt_lists lists = learn_lists(keys);
    return lists.certain && !lists.queues.empty() && add_style(db, lists);
}

broker_id name_learner::broker_of(std::uint8_t db, std::string_view key) const {
    const auto known = prefixes_.find(db);
    std::string_view longest;
    if (known != prefixes_.end()) {
        for (const std::string& prefix : known->second) {
            if (prefix.size() > longest.size() && key.starts_with(prefix)) longest = prefix;
        }
    }
    return {db, std::string(longest)};
}

list_name name_learner::list_of(std::uint8_t db, std::string_view key) const {
    list_name name{broker_of(db, key), {}, 0};
    const std::size_t at = trailing_digits(key);
    std::string_view base = key;
    if (at != std::string_view::npos) {
        const std::string_view head = key.substr(0, at);
        const auto step = number(key.substr(at));
        const auto known = styles_.find(name.broker);
        if (head.ends_with(binding_separator) && step) {
            base = head.substr(0, head.size() - binding_separator.size());
            name.priority = *step;
        } else if (known != styles_.end() && step) {
            for (const learnt_style& each : known->second) {
                const auto& [prefix, separator, steps] = each.style;
                if (!head.ends_with(separator) || !std::binary_search(steps.begin(), steps.end(), *step))
                    continue;
                const std::string_view candidate = head.substr(0, head.size() - separator.size());
                if (!each.bases.contains(candidate)) continue;
                base = candidate;
                name.priority = *step;
                break;
            }
        }
    }
    name.queue = base.substr(name.broker.prefix.size());
    return name;
}

std::vector<naming> name_learner::namings(const broker_id& broker) const {
    std::vector<naming> all;
    if (const auto known = styles_.find(broker); known != styles_.end()) {
        for (const learnt_style& each : known->second) all.push_back(each.style);
    }
    if (all.empty()) all.push_back({.prefix = broker.prefix});
    return all;
}

void name_learner::set_unacked_key(const broker_id& broker, std::string_view key) {
    unacked_[broker] = key;
}

void name_learner::set_index_key(const broker_id& broker, std::string_view key) {
    index_[broker] = key;
}

std::string name_learner::unacked_key(const broker_id& broker) const {
    const auto known = unacked_.find(broker);
    return known != unacked_.end() ? known->second : broker.prefix + "unacked";
}

std::string name_learner::index_key(const broker_id& broker) const {
    const auto known = index_.find(broker);
    return known != index_.end() ? known->second : broker.prefix + "unacked_index";
}

}  // namespace broker
