#include "sidecar/core/command_table.hpp"

#include <algorithm>
#include <array>

#include "resp/value.hpp"
#include "sidecar/core/command_table_data.hpp"
#include "sidecar/core/text_case.hpp"

namespace sidecar {

namespace {

struct named_verb {
    std::string_view name;
    verb id;
};

constexpr named_verb verbs[] = {
    {"acl", verb::acl},
    {"asking", verb::asking},
    {"auth", verb::auth},
    {"ch.ack", verb::channel},
    {"ch.flush", verb::channel},
    {"ch.gadd", verb::channel},
    {"ch.gaddm", verb::channel},
    {"ch.gcount", verb::channel},
    {"ch.gmembers", verb::channel},
    {"ch.grem", verb::channel},
    {"ch.gremall", verb::channel},
    {"ch.groups", verb::channel},
    {"ch.gsend", verb::channel},
    {"ch.hello", verb::channel},
    {"ch.help", verb::channel},
    {"ch.hist", verb::channel},
    {"ch.id", verb::channel},
    {"ch.info", verb::channel},
    {"ch.recv", verb::channel},
    {"ch.send", verb::channel},
    {"ch.stats", verb::channel},
    {"client", verb::client},
    {"command", verb::command},
    {"copy", verb::copy},
    {"debug", verb::debug},
    {"discard", verb::discard},
    {"echo", verb::echo},
    {"eval", verb::eval},
    {"eval_ro", verb::eval},
    {"evalsha", verb::evalsha},
    {"evalsha_ro", verb::evalsha},
    {"exec", verb::exec},
    {"fcall", verb::fcall},
    {"fcall_ro", verb::fcall},
    {"function", verb::function},
    {"hello", verb::hello},
    {"info", verb::info},
    {"memory", verb::memory},
    {"monitor", verb::monitor},
    {"multi", verb::multi},
    {"ping", verb::ping},
    {"psubscribe", verb::psubscribe},
    {"psync", verb::psync},
    {"publish", verb::publish},
    {"pubsub", verb::pubsub},
    {"punsubscribe", verb::punsubscribe},
    {"quit", verb::quit},
    {"readonly", verb::readonly},
    {"readwrite", verb::readwrite},
    {"replconf", verb::replconf},
    {"reset", verb::reset},
    {"script", verb::script},
    {"select", verb::select},
    {"shutdown", verb::shutdown},
    {"sidecar", verb::sidecar},
    {"spublish", verb::spublish},
    {"ssubscribe", verb::ssubscribe},
    {"subscribe", verb::subscribe},
    {"sunsubscribe", verb::sunsubscribe},
    {"sync", verb::sync},
    {"unsubscribe", verb::unsubscribe},
    {"unwatch", verb::unwatch},
    {"wait", verb::wait},
    {"waitaof", verb::waitaof},
    {"watch", verb::watch},
    {"host:", verb::security_trap},
    {"post", verb::security_trap},
};

constexpr std::size_t name_bytes_max = 64;

// Case-insensitive, from a few letters: names differ early, late or in length.
std::uint32_t hash_of(std::string_view name) {
    if (name.empty()) return 0;
    const auto letter = [&](std::size_t at) { return static_cast<std::uint32_t>(name[at] | 0x20); };
    const std::uint32_t mix = letter(0) | letter(name.size() / 2) << 8 | letter(name.size() - 1) << 16;
    const std::uint32_t hash =
        (mix ^ letter(name.size() / 4) << 21 ^ static_cast<std::uint32_t>(name.size()) << 26) * 2654435761U;
    return hash >> 16;
}

// Lower-cases into a small buffer; empty for names too long to be a command's.
std::string_view lowered(std::string_view name, std::array<char, name_bytes_max>& buffer) {
    if (name.size() > buffer.size()) return {};
    std::transform(name.begin(), name.end(), buffer.begin(), to_lower);
    return {buffer.data(), name.size()};
}

std::uint32_t flags_from(const resp::value& flag_list, const resp::value& category_list) {
    struct mapping {
        std::string_view name;
        std::uint32_t flag;
    };
    constexpr mapping known[] = {
        {"write", command_flag::write},
        {"readonly", command_flag::readonly},
        {"blocking", command_flag::blocking},
        {"no_auth", command_flag::no_auth},
        {"@admin", command_flag::admin},
        {"@dangerous", command_flag::dangerous},
        {"@pubsub", command_flag::pubsub},
        {"@scripting", command_flag::scripting},
        {"@connection", command_flag::connection},
    };
    std::uint32_t flags = 0;
    for (const auto* list : {&flag_list, &category_list})
        for (const auto& item : list->items)
            for (const auto& m : known)
                if (item.text == m.name) flags |= m.flag;
    return flags;
}

}  // namespace

bool command_spec::arity_fits(std::size_t argument_count) const {
    return arity >= 0 ? argument_count == static_cast<std::size_t>(arity)
                      : argument_count >= static_cast<std::size_t>(-arity);
}

command_table::command_table() {
    for (const auto& row : command_rows()) {
        auto& spec = add(row.name);
        spec.arity = row.arity;
        spec.flags = row.flags;
        spec.first_key = row.first_key;
        spec.last_key = row.last_key;
        spec.key_step = row.key_step;
    }
    for (const auto name : {"host:", "post"}) add(name).arity = -1;
    for (const auto& v : verbs)
        if (const auto it = by_name_.find(v.name); it != by_name_.end()) it->second->id = v.id;
}

command_spec& command_table::add(std::string_view name) {
    auto& spec = specs_.emplace_back();
    spec.name = name;
    spec.traffic = broker::traffic_of(name);
    if (const std::size_t bar = name.find('|'); bar != std::string_view::npos) {
        const auto parent = by_name_.find(name.substr(0, bar));
        if (parent != by_name_.end()) {
            parent->second->flags |= command_flag::container;
            spec.index = parent->second->index;
        }
    } else {
        spec.index = static_cast<std::uint16_t>(by_index_.size());
        by_index_.push_back(&spec);
    }
    by_name_.emplace(spec.name, &spec);
    if (spec.name.find('|') == std::string_view::npos) index_name(spec);
    return spec;
}

void command_table::index_name(command_spec& spec) {
    constexpr std::size_t slots_min = 1024;
    if (by_index_.size() * 2 <= slots_.size()) return place(&spec);
    slots_.assign(std::max(slots_min, slots_.size() * 2), nullptr);
    for (command_spec* known : by_index_) place(known);
}

void command_table::place(command_spec* spec) {
    std::size_t at = hash_of(spec->name) & (slots_.size() - 1);
    while (slots_[at] != nullptr) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = spec;
}

const command_spec* command_table::find(std::string_view name) const {
    if (name.size() > name_bytes_max) return nullptr;
    for (std::size_t at = hash_of(name) & (slots_.size() - 1); slots_[at] != nullptr;
         at = (at + 1) & (slots_.size() - 1))
        if (equals_ignoring_case(name, slots_[at]->name)) return slots_[at];
    return nullptr;
}

const command_spec* command_table::find_sub(const command_spec& container, std::string_view name) const {
    std::array<char, name_bytes_max> buffer;
    const auto sub = lowered(name, buffer);
    if (sub.empty() || container.name.size() + 1 + sub.size() > name_bytes_max) return nullptr;
    std::string full(container.name);
    full.append("|").append(sub);
    const auto it = by_name_.find(full);
    return it == by_name_.end() ? nullptr : it->second;
}

std::size_t command_table::learn(const resp::value& command_reply) {
    constexpr std::size_t commands_max = 10'000;  // an upstream cannot make the table grow without end
    std::size_t changed = 0;
    for (const auto& entry : command_reply.items) {
        if (entry.items.size() < 7 || !entry.items[0].is_text() ||
            entry.items[0].text.size() > name_bytes_max)
            continue;
        const std::string& name = entry.items[0].text;
        const auto it = by_name_.find(name);
        if (it == by_name_.end() && by_name_.size() >= commands_max) continue;
        command_spec& spec = it != by_name_.end() ? *it->second : add(names_.emplace_back(name));
        const command_spec before = spec;
        constexpr std::uint32_t kept = command_flag::container | command_flag::local | command_flag::marks;
        spec.arity = static_cast<std::int16_t>(entry.items[1].integer);
        spec.flags = flags_from(entry.items[2], entry.items[6]) | (spec.flags & kept);
        spec.first_key = static_cast<std::int16_t>(entry.items[3].integer);
        spec.last_key = static_cast<std::int16_t>(entry.items[4].integer);
        spec.key_step = static_cast<std::int16_t>(entry.items[5].integer);
        if (it == by_name_.end() || before.arity != spec.arity || before.flags != spec.flags) ++changed;
        if (entry.items.size() > 9) changed += learn(entry.items[9]);
    }
    return changed;
}

}  // namespace sidecar
