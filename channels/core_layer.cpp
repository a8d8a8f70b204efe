#include "channels/core_layer.hpp"

#include <algorithm>
#include <array>

#include "channels/sha1.hpp"
#include "resp/number.hpp"

namespace channels {
namespace {

using arguments = std::span<const std::string_view>;

struct known_script {
    layer_step step;
    std::size_t bytes;  // a text of another length need not be hashed
    std::string_view hash;
};

constexpr std::array<known_script, 3> scripts{{
    {layer_step::cleanup, 262, "8d28fb4c84249684940e751f9f15170eb9a96e1a"},
    {layer_step::group_send, 585, "5bcf6ea1d6c02c00f44e7030f4f9772a199deaf1"},
    {layer_step::flush, 188, "4d71449255c78343266920db788a2fc84a93ca58"},
}};

layer_step step_of_text(std::string_view text) {
    const auto same_size = [&](const known_script& s) { return s.bytes == text.size(); };
    const auto found = std::find_if(scripts.begin(), scripts.end(), same_size);
    return found != scripts.end() && sha1_hex(text) == found->hash ? found->step : layer_step::other;
}

layer_step step_of_hash(std::string_view hash) {
    for (const known_script& s : scripts)
        if (s.hash == hash) return s.step;
    return layer_step::other;
}

bool is_inflight_of(std::string_view inflight, std::string_view queue) {
    return inflight.size() == queue.size() + inflight_suffix.size() && inflight.starts_with(queue) &&
           inflight.ends_with(inflight_suffix);
}

std::string_view without_suffix(std::string_view inflight) {
    return inflight.substr(0, inflight.size() - inflight_suffix.size());
}

bool is_group_key(std::string_view key) {
    return key.find(":group:") != std::string_view::npos;
}

bool is_layer_key(std::string_view key) {
    return key.starts_with("asgi") || key.ends_with('!') || is_group_key(key);
}

layer_command script_call(layer_step step, arguments args, bool by_text) {
    layer_command found;
    found.script_text = by_text;
    if (step == layer_step::cleanup) {
        if (args.size() != 5 || args[2] != "0" || !is_inflight_of(args[4], args[3])) return {};
        found.key = args[3];
    } else if (step == layer_step::flush) {
        if (args.size() != 4 || args[2] != "0") return {};
    } else if (step == layer_step::group_send) {
        const auto keys = resp::parse_number(args[2]);
        if (!keys || *keys < 0 || args.size() != 3 * static_cast<std::size_t>(*keys) + 5) return {};
    }
    found.step = step;
    return found;
}

layer_command sorted_set_add(arguments args) {
    layer_command found;
    found.key = args[1];
    found.step = layer_step::enqueue;
    if (found.key.ends_with(inflight_suffix)) {
        found.step = layer_step::confirm;
        found.key = without_suffix(found.key);
        found.score = args[2];
        found.member = args[3];
    } else if (is_group_key(found.key)) {
        found.step = layer_step::group_add;
    }
    return found;
}

// ZREMRANGEBYSCORE of all that is older than a point in time: the layer's scores are seconds since 1970.
bool trims_by_age(arguments args) {
    constexpr std::int64_t plausible_time_min = 1'000'000'000;
    return args[2] == "0" && resp::parse_number(args[3]).value_or(0) >= plausible_time_min;
}

}  // namespace

layer_command recognise_layer(std::string_view name, std::span<const std::string_view> args) {
    const std::size_t count = args.size();
    if (count < 2) return {};
    if (name == "eval" && count > 3) return script_call(step_of_text(args[1]), args, true);
    if (name == "evalsha" && count > 3) return script_call(step_of_hash(args[1]), args, false);
    layer_command found;
    found.key = args[1];
    if (name == "bzpopmin" && count == 3) {
        found.step = layer_step::receive;
    } else if (name == "zadd" && count == 4) {
        return sorted_set_add(args);
    } else if (name == "zpopmin" && count == 2 && found.key.ends_with(inflight_suffix)) {
        found.step = layer_step::clean;
        found.key = without_suffix(found.key);
    } else if (name == "zremrangebyscore" && count == 4 && trims_by_age(args)) {
        found.step = layer_step::trim;
    } else if (name == "expire" && count == 3 && is_layer_key(found.key)) {
        found.step = layer_step::expire;
    } else if (name == "zrem" && count == 3 && is_group_key(found.key)) {
        found.step = layer_step::group_discard;
    }
    return found;
}

std::string_view script_hash(layer_step step) {
    for (const known_script& s : scripts)
        if (s.step == step) return s.hash;
    return {};
}

bool is_idempotent(const layer_command& command) {
    switch (command.step) {
        case layer_step::cleanup:
        case layer_step::confirm:
        case layer_step::trim:
        case layer_step::expire:
        case layer_step::group_add:
        case layer_step::group_discard:
            return true;
        // The one reader waits for its answer before anything else comes to stand there.
        case layer_step::clean:
            return has_one_reader(command.key);
        default:
            return false;
    }
}

std::string inflight_key(std::string_view queue_key) {
    std::string key(queue_key);
    key.append(inflight_suffix);
    return key;
}

}  // namespace channels
