#include "channels/name_ownership.hpp"

#include <algorithm>
#include <map>
#include <memory>

namespace channels {
namespace {

constexpr int owning_dbs = 3;
constexpr std::string_view reserved_prefix = "__sidecar:ch:";

struct owned_prefix {
    std::string_view before;  // the db's digit stands between the two, unless `fixed_db` names the owner
    std::string_view after;
    std::optional<int> fixed_db;
};

constexpr owned_prefix rules[] = {
    {"/", ".", {}}, {"__keyspace@", "__:", {}}, {"__keyevent@", "__:", {}}, {"asgi", "", 1}};

std::vector<std::string> prefixes_of(int db) {
    std::vector<std::string> prefixes;
    for (const owned_prefix& rule : rules) {
        if (!rule.fixed_db) {
            prefixes.push_back(std::string(rule.before) + std::to_string(db) + std::string(rule.after));
        } else if (*rule.fixed_db == db) {
            prefixes.emplace_back(rule.before);
        }
    }
    return prefixes;
}

// The text every match of a pattern begins with.
std::string fixed_prefix(std::string_view pattern) {
    std::string prefix;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char c = pattern[i];
        if (c == '*' || c == '?' || c == '[') break;
        if (c == '\\' && i + 1 < pattern.size()) ++i;
        prefix += pattern[i];
    }
    return prefix;
}

void append_escaped(std::string& out, char c) {
    if (std::string_view("*?[]\\^-").find(c) != std::string_view::npos) out += '\\';
    out += c;
}

struct node {
    std::map<char, std::unique_ptr<node>> next;
    bool forbidden = false;  // this name and all that begin with it
};

void forbid(node& root, std::string_view prefix) {
    node* at = &root;
    for (const char c : prefix) {
        auto& child = at->next[c];
        if (!child) child = std::make_unique<node>();
        at = child.get();
    }
    at->forbidden = true;
}

// `path` spells the node as a pattern. A name is allowed when it ends on the way to a forbidden prefix or
// leaves that way at any point.
void collect(const node& at, const std::string& path, std::vector<std::string>& patterns) {
    if (at.forbidden) return;
    std::string leaving = path + "[^";
    for (const auto& [c, child] : at.next) append_escaped(leaving, c);
    patterns.push_back(path);
    patterns.push_back(leaving + "]*");
    for (const auto& [c, child] : at.next) {
        std::string longer = path;
        append_escaped(longer, c);
        collect(*child, longer, patterns);
    }
}

}  // namespace

std::optional<int> owner_of(std::string_view channel) {
    for (const owned_prefix& rule : rules) {
        if (!channel.starts_with(rule.before)) continue;
        if (rule.fixed_db) return rule.fixed_db;
        const std::string_view rest = channel.substr(rule.before.size());
        if (rest.empty() || rest[0] < '0' || rest[0] >= '0' + owning_dbs) continue;
        if (rest.substr(1).starts_with(rule.after)) return rest[0] - '0';
    }
    return std::nullopt;
}

bool is_reserved(std::string_view channel) {
    return channel.starts_with(reserved_prefix);
}

bool may_use(int db, std::string_view channel) {
    if (is_reserved(channel)) return false;
    const std::optional<int> owner = owner_of(channel);
    return !owner || *owner == db;
}

bool may_subscribe_pattern(int db, std::string_view pattern) {
    return may_use(db, fixed_prefix(pattern));
}

std::vector<std::string> allowed_patterns(int db) {
    node root;
    forbid(root, reserved_prefix);
    for (int other = 0; other < owning_dbs; ++other) {
        if (other == db) continue;
        for (const std::string& prefix : prefixes_of(other)) forbid(root, prefix);
    }
    std::vector<std::string> patterns;
    collect(root, "", patterns);
    return patterns;
}

}  // namespace channels
