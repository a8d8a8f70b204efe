#include "broker/kombu_names.hpp"

#include <algorithm>
#include <charconv>

namespace broker {

namespace {

constexpr std::string_view binding_stem = "_kombu.binding.";

std::optional<int> whole_number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    if (text.size() > 1 && text.front() == '0') return std::nullopt;
    return value;
}

std::size_t trailing_digits(std::string_view text) {
    std::size_t count = 0;
    while (count < text.size() && count < 4 && text[text.size() - 1 - count] >= '0' &&
           text[text.size() - 1 - count] <= '9')
        ++count;
    return count;
}

std::string joined(std::string_view a, std::string_view b, std::string_view c = {}) {
    std::string out;
    out.reserve(a.size() + b.size() + c.size());
    return out.append(a).append(b).append(c);
}

// The separator and step by which `key` continues `queue`; the step may be any number.
std::optional<std::pair<std::string_view, int>> continuation(std::string_view key, std::string_view queue) {
    if (key.size() <= queue.size() || !key.starts_with(queue)) return std::nullopt;
    const std::string_view rest = key.substr(queue.size());
    const std::size_t digits = trailing_digits(rest);
    if (digits == 0) return std::nullopt;
    const auto step = whole_number(rest.substr(rest.size() - digits));
    if (!step) return std::nullopt;
    return std::pair{rest.substr(0, rest.size() - digits), *step};
}

// Whether the keys are `queues` names, then the same names again with one separator and rising steps.
bool repeats(std::span<const std::string_view> keys, std::size_t queues, learnt_lists& out) {
    std::optional<std::string_view> separator;
    std::vector<int> steps{0};
    for (std::size_t at = queues; at < keys.size(); ++at) {
        const auto next = continuation(keys[at], keys[at % queues]);
        if (!next || (separator && *separator != next->first)) return false;
        separator = next->first;
        if (at % queues == 0) {
            if (next->second <= steps.back()) return false;
            steps.push_back(next->second);
        } else if (next->second != steps.back()) {
            return false;
        }
    }
    if (separator) out.separator = *separator;
    out.steps = std::move(steps);
    return separator.has_value();
}

std::optional<key_role> unacked_role(std::string_view key) {
    using suffix = std::pair<std::string_view, key_kind>;
    for (const auto& [name, kind] :
         {suffix{"unacked", key_kind::unacked}, suffix{"unacked_index", key_kind::unacked_index},
          suffix{"unacked_mutex", key_kind::unacked_mutex}})
        if (key.ends_with(name)) return key_role{kind, key.substr(0, key.size() - name.size()), key};
    return std::nullopt;
}

std::optional<key_role> result_role(std::string_view key) {
    for (const std::string_view stem : {"celery-task-meta-", "celery-taskset-meta-"})
        if (const auto at = key.find(stem); at != std::string_view::npos)
            return key_role{key_kind::result, key.substr(0, at), key.substr(at + stem.size())};
    return std::nullopt;
}

}  // namespace

std::optional<queue_list> parse_list_key(std::string_view key, const naming& names) {
    if (!key.starts_with(names.prefix)) return std::nullopt;
    key.remove_prefix(names.prefix.size());
    const std::size_t digits = trailing_digits(key);
    const std::string_view stem = key.substr(0, key.size() - digits);
    if (digits == 0 || names.separator.empty() || !stem.ends_with(names.separator)) return queue_list{key, 0};
    const auto step = whole_number(key.substr(stem.size()));
    const bool known = step && *step != 0 && std::ranges::find(names.steps, *step) != names.steps.end();
    const std::string_view queue = stem.substr(0, stem.size() - names.separator.size());
    return known && !queue.empty() ? queue_list{queue, *step} : queue_list{key, 0};
}

std::string list_key(std::string_view queue, int priority, const naming& names) {
    std::string key = joined(names.prefix, queue);
    if (priority != 0) key.append(names.separator).append(std::to_string(priority));
    return key;
}

std::vector<std::string> list_keys(std::string_view queue, const naming& names) {
    std::vector<std::string> keys;
    for (const int step : names.steps) keys.push_back(list_key(queue, step, names));
    return keys;
}

int priority_step(std::int64_t priority, const naming& names) {
    const auto clamped = static_cast<int>(std::clamp<std::int64_t>(priority, 0, 9));
    const auto above = std::ranges::upper_bound(names.steps, clamped);
    return above == names.steps.begin() ? 0 : *std::prev(above);
}

learnt_lists learn_lists(std::span<const std::string_view> keys) {
    learnt_lists out;
    std::size_t queues = keys.size();
    for (std::size_t count = 1; count < keys.size(); ++count) {
        if (keys.size() % count != 0 || !repeats(keys, count, out)) continue;
        queues = count;
        out.certain = true;
        break;
    }
    out.queues.assign(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(queues));
    return out;
}

key_role classify_key(std::string_view key) {
    if (key.starts_with(own_prefix)) return {key_kind::own, {}, key};
    if (const auto at = key.find(binding_stem); at != std::string_view::npos)
        return {key_kind::binding, key.substr(0, at), key.substr(at + binding_stem.size())};
    if (const auto role = unacked_role(key)) return *role;
    if (const auto role = result_role(key)) return *role;
    const std::string_view name = key;
    if (name.find(".reply.celery.pidbox") != std::string_view::npos) return {key_kind::pidbox_reply, {}, key};
    if (name.find(".celery.pidbox") != std::string_view::npos) return {key_kind::pidbox_queue, {}, key};
    if (const auto at = name.find("celeryev.");
        at != std::string_view::npos && is_uuid(name.substr(at + 9, 36)))
        return {key_kind::event_queue, key.substr(0, at), key};
    if (const auto at = name.find("bcast."); at != std::string_view::npos && is_uuid(name.substr(at + 6, 36)))
        return {key_kind::broadcast, key.substr(0, at), key};
    if (is_uuid(name)) return {key_kind::rpc_reply, {}, key};
    return {key_kind::list, {}, key};
}

bool is_work_queue(std::string_view queue) {
    return classify_key(queue).kind == key_kind::list && !queue.empty();
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex) return false;
    }
    return true;
}

std::optional<binding> parse_binding(std::string_view member) {
    const auto first = member.find(binding_separator);
    if (first == std::string_view::npos) return std::nullopt;
    const auto last = member.rfind(binding_separator);
    const std::size_t width = binding_separator.size();
    if (last == first) return binding{member.substr(0, first), {}, member.substr(first + width)};
    return binding{member.substr(0, first), member.substr(first + width, last - first - width),
                   member.substr(last + width)};
}

std::string binding_member(const binding& of) {
    return joined(of.routing_key, binding_separator, of.pattern).append(binding_separator).append(of.queue);
}

std::string binding_key(std::string_view exchange, const naming& names) {
    return joined(names.prefix, binding_stem, exchange);
}

std::optional<fanout_channel> parse_fanout(std::string_view channel) {
    const auto slash = channel.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const std::string_view tail = channel.substr(slash + 1);
    const auto dot = tail.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto db = whole_number(tail.substr(0, dot));
    if (!db) return std::nullopt;
    fanout_channel out{channel.substr(0, slash), *db, tail.substr(dot + 1), {}};
    if (const auto at = out.exchange.find('/'); at != std::string_view::npos) {
        out.routing_key = out.exchange.substr(at + 1);
        out.exchange = out.exchange.substr(0, at);
    }
    if (out.exchange.empty()) return std::nullopt;
    return out;
}

std::string fanout_name(const fanout_channel& of) {
    std::string out = joined(of.prefix, "/", std::to_string(of.db)).append(".").append(of.exchange);
    if (!of.routing_key.empty()) out.append("/").append(of.routing_key);
    return out;
}

std::string result_key(std::string_view task_id, std::string_view prefix) {
    return joined(prefix, "celery-task-meta-", task_id);
}

group_keys group_result_keys(std::string_view group_id, std::string_view prefix) {
    const std::string meta = joined(prefix, "celery-taskset-meta-", group_id);
    return {meta + ".j", meta + ".s", meta};
}

}  // namespace broker
