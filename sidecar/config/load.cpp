#include "sidecar/config/load.hpp"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "sidecar/config/given.hpp"
#include "sidecar/config/options.hpp"

namespace sidecar {
namespace {

using maybe_error = std::optional<config_error>;

int default_threads() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    const int cores = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    return std::clamp(cores, 1, 4);
}

// Adds to `above` what it does not name yet.
void fall_back_to(given_settings& above, given_settings below) {
    above.merge(below);
}

// --embedded and --redis exclude each other: of different origins the stronger wins.
maybe_error choose_upstream(given_settings& given) {
    const auto embedded = given.find("embedded");
    const auto redis = given.find("redis");
    if (embedded == given.end() || redis == given.end()) return std::nullopt;
    const parsed<bool> on = parse_switch(embedded->second.values.front());
    if (!std::holds_alternative<bool>(on) || !std::get<bool>(on)) return std::nullopt;
    if (embedded->second.from > redis->second.from) {
        given.erase(redis);
    } else if (embedded->second.from < redis->second.from) {
        given.erase(embedded);
    } else {
        return config_error{embedded->second.where + ": cannot be combined with " + redis->second.where};
    }
    return std::nullopt;
}

maybe_error apply_settings(config& into, const given_settings& given) {
    for (const setting& entry : all_settings()) {
        const auto found = given.find(entry.flag);
        if (found != given.end()) {
            if (const auto bad = entry.set(into, found->second.values))
                return config_error{found->second.where + ": " + bad->why};
        } else if (!entry.default_text.empty()) {
            const std::string text(entry.default_text);
            if (const auto bad = entry.set(into, {&text, 1}))
                return config_error{"default of --" + std::string(entry.flag) + ": " + bad->why};
        }
    }
    return std::nullopt;
}

std::string where_of(const given_settings& given, std::string_view flag) {
    const auto found = given.find(flag);
    return found == given.end() ? "--" + std::string(flag) : found->second.where;
}

// The rules that span settings.
maybe_error check_together(const config& settings, const given_settings& given) {
    const tls_settings& tls = settings.tls;
    if (!tls.listen.empty() && tls.certificate_file.empty())
        return config_error{where_of(given, "tls-listen") + ": needs --tls-cert and --tls-key"};
    if (tls.certificate_file.empty() != tls.key_file.empty())
        return config_error{where_of(given, tls.key_file.empty() ? "tls-cert" : "tls-key") + ": needs --" +
                            (tls.key_file.empty() ? "tls-key" : "tls-cert") + " as well"};
    if (settings.listen.empty() && tls.listen.empty() && settings.unix_path.empty())
        return config_error{where_of(given, "listen") +
                            ": nothing to listen on; give --listen, --tls-listen or --unix"};

    std::vector<std::pair<std::string_view, endpoint>> taken;
    const auto claim = [&](std::string_view flag, const endpoint& address) -> maybe_error {
        const auto twin = std::find_if(taken.begin(), taken.end(),
                                       [&](const auto& other) { return other.second == address; });
        if (address.port != 0 && twin != taken.end())
            return config_error{where_of(given, flag) + ": " + to_string(address) +
                                " is already taken by --" + std::string(twin->first)};
        taken.emplace_back(flag, address);
        return std::nullopt;
    };
    for (const endpoint& address : settings.listen)
        if (auto bad = claim("listen", address)) return bad;
    for (const endpoint& address : tls.listen)
        if (auto bad = claim("tls-listen", address)) return bad;
    return claim("http", settings.http);
}

struct file_choice {
    std::string path;
    std::string_view name;
};

file_choice choose_file(const command_line& flags, const environment& get) {
    if (!flags.config_file.empty()) return {flags.config_file, "--config"};
    return {get("SIDECAR_CONFIG").value_or(""), "SIDECAR_CONFIG"};
}

}  // namespace

std::variant<config, config_error> load_config(std::span<const std::string> args, const environment& get) {
    auto flags = read_command_line(args);
    if (auto* bad = std::get_if<config_error>(&flags)) return std::move(*bad);
    given_settings given = std::move(std::get<command_line>(flags).settings);
    fall_back_to(given, read_environment(get));

    config settings;
    settings.threads = default_threads();
    const file_choice file = choose_file(std::get<command_line>(flags), get);
    if (!file.path.empty()) {
        auto content = read_file(file.path, file.name);
        if (auto* bad = std::get_if<config_error>(&content)) return std::move(*bad);
        fall_back_to(given, std::move(std::get<file_content>(content).settings));
        settings.users = std::move(std::get<file_content>(content).users);
    }
    if (auto bad = choose_upstream(given)) return std::move(*bad);
    if (auto bad = apply_settings(settings, given)) return std::move(*bad);
    if (auto bad = check_together(settings, given)) return std::move(*bad);
    return settings;
}

std::optional<std::string> process_environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::vector<std::string> restart_needed(const config& old, const config& fresh) {
    std::vector<std::string> flags;
    for (const setting& entry : all_settings())
        if (entry.effect == takes_effect::after_restart && !entry.same(old, fresh))
            flags.push_back("--" + std::string(entry.flag));
    return flags;
}

}  // namespace sidecar
