#include "broker/pidbox_caller.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "broker/kombu_names.hpp"
#include "broker/pidbox_message.hpp"

namespace broker {
namespace {

namespace json = boost::json;

// How long our list may outlive us.
constexpr std::string_view list_kept_ms = "60000";
// Asked in short turns, so that the end of the time is met.
constexpr double turn_s = 0.2;
constexpr std::size_t replies_max = 10'000;

std::string seconds_text(double seconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", std::max(seconds, 0.01));
    return text;
}

}  // namespace

pidbox_answer pidbox_caller::call(const broker_id& broker, const pidbox_call& what) {
    pidbox_answer answer;
    const bool wanted = what.wait == pidbox_wait::replies;
    const std::string oid = fresh_uuid_();
    const std::string list = broker.prefix + pidbox_reply_queue(oid);
    const std::string bindings = broker.prefix + "_kombu.binding." + std::string(pidbox_reply_exchange);
    const std::string member = pidbox_reply_binding(oid);
    pidbox_request request;
    request.method = what.method;
    request.arguments = what.arguments;
    request.destination = what.nodes;
    request.tag = fresh_uuid_();
    if (wanted) {
        request.ticket = fresh_uuid_();
        request.reply_oid = oid;
        request.expires_s = static_cast<double>(now_us_() + what.timeout_us) / 1e6;
        const resp::value bound = redis_.call({"SADD", bindings, member});
        if (is_error(bound)) {
            answer.error = bound.text;
            return answer;
        }
    }
    const std::string channel = fanout_name({broker.prefix, broker.db, pidbox_exchange, {}});
    const resp::value published = redis_.call({"PUBLISH", channel, pidbox_payload(request)});
    if (is_error(published)) answer.error = published.text;
    answer.listeners = static_cast<std::uint64_t>(std::max<std::int64_t>(published.integer, 0));
    if (!wanted) return answer;
    if (answer.error.empty() && answer.listeners > 0) collect(list, request.ticket, what, answer);
    const naming names{broker.prefix};
    redis_command removal{"DEL"};
    for (const std::string& key : list_keys(pidbox_reply_queue(oid), names)) removal.push_back(key);
    // A worker that answers late finds no binding and drops its reply; one that found it before pushes to a
    // list that must not stay.
    (void)redis_.call({"SREM", bindings, member});
    (void)redis_.call(removal);
    for (const std::string& node : what.nodes) {
        if (!answer.replies.contains(node)) answer.missing.push_back(node);
    }
    return answer;
}

void pidbox_caller::collect(const std::string& list, const std::string& ticket, const pidbox_call& what,
                            pidbox_answer& into) {
    const std::int64_t until_us = now_us_() + what.timeout_us;
    const std::size_t expected = what.nodes.empty() ? into.listeners : what.nodes.size();
    bool expires = false;
    while (into.replies.size() < std::min<std::size_t>(expected, replies_max)) {
        const std::int64_t left_us = until_us - now_us_();
        if (left_us <= 0) return;
        const double wait_s = std::min(turn_s, static_cast<double>(left_us) / 1e6);
        const resp::value popped = redis_.call({"BRPOP", list, seconds_text(wait_s)});
        if (is_error(popped)) {
            into.error = popped.text;
            return;
        }
        if (popped.items.size() != 2) continue;
        auto reply = read_pidbox_reply(popped.items[1].text);
        if (reply && reply->ticket == ticket) into.replies[reply->node] = std::move(reply->content);
        if (!std::exchange(expires, true)) (void)redis_.call({"PEXPIRE", list, list_kept_ms});
    }
}

std::optional<pidbox_call> pidbox_operation(std::string_view name, const json::object& given,
                                            std::string& error) {
    struct argument {
        std::string_view name;
        enum : std::uint8_t { text, whole, flag, texts, number_or_text } type;
        enum : std::uint8_t { required, optional } need;
    };
    struct operation {
        std::string_view name;
        std::string_view method;
        pidbox_wait wait;
        std::vector<argument> arguments;
    };
    using a = argument;
    static const std::vector<operation> operations{
        {"ping", "ping", pidbox_wait::replies, {}},
        {"stats", "stats", pidbox_wait::replies, {}},
        {"active", "active", pidbox_wait::replies, {}},
        {"reserved", "reserved", pidbox_wait::replies, {}},
        {"scheduled", "scheduled", pidbox_wait::replies, {}},
        {"revoked", "revoked", pidbox_wait::replies, {}},
        {"registered", "registered", pidbox_wait::replies, {}},
        {"conf", "conf", pidbox_wait::replies, {}},
        {"report", "report", pidbox_wait::replies, {}},
        {"clock", "clock", pidbox_wait::replies, {}},
        {"queues", "active_queues", pidbox_wait::replies, {}},
        {"query", "query_task", pidbox_wait::replies, {{"ids", a::texts, a::required}}},
        {"revoke",
         "revoke",
         pidbox_wait::replies,
         {{"task_id", a::texts, a::required},
          {"terminate", a::flag, a::optional},
          {"signal", a::text, a::optional}}},
        {"rate-limit",
         "rate_limit",
         pidbox_wait::replies,
         {{"task_name", a::text, a::required}, {"rate_limit", a::number_or_text, a::required}}},
        {"time-limit",
         "time_limit",
         pidbox_wait::replies,
         {{"task_name", a::text, a::required},
          {"hard", a::number_or_text, a::optional},
          {"soft", a::number_or_text, a::optional}}},
        {"add-consumer",
         "add_consumer",
         pidbox_wait::replies,
         {{"queue", a::text, a::required},
          {"exchange", a::text, a::optional},
          {"exchange_type", a::text, a::optional},
          {"routing_key", a::text, a::optional}}},
        {"cancel-consumer", "cancel_consumer", pidbox_wait::replies, {{"queue", a::text, a::required}}},
        {"pool-grow", "pool_grow", pidbox_wait::replies, {{"n", a::whole, a::optional}}},
        {"pool-shrink", "pool_shrink", pidbox_wait::replies, {{"n", a::whole, a::optional}}},
        {"pool-restart", "pool_restart", pidbox_wait::replies, {}},
        {"autoscale",
         "autoscale",
         pidbox_wait::replies,
         {{"max", a::whole, a::required}, {"min", a::whole, a::optional}}},
        {"enable-events", "enable_events", pidbox_wait::replies, {}},
        {"disable-events", "disable_events", pidbox_wait::replies, {}},
        {"shutdown", "shutdown", pidbox_wait::nothing, {}},
    };
    const auto found = std::find_if(operations.begin(), operations.end(),
                                    [&](const operation& each) { return each.name == name; });
    if (found == operations.end()) {
        error = "unknown operation '" + std::string(name) + "'";
        return std::nullopt;
    }
    pidbox_call call;
    call.method = found->method;
    call.wait = found->wait;
    const auto fits = [](const json::value& value, const argument& of) {
        switch (of.type) {
            case argument::text:
                return value.is_string() && !value.get_string().empty();
            case argument::whole:
                return value.is_int64() && value.get_int64() >= 0 && value.get_int64() <= 10'000;
            case argument::flag:
                return value.is_bool();
            case argument::number_or_text:
                return value.is_number() || value.is_string();
            case argument::texts: {
                if (value.is_string()) return !value.get_string().empty();
                if (!value.is_array() || value.get_array().empty()) return false;
                const auto& all = value.get_array();
                return std::all_of(all.begin(), all.end(),
                                   [](const json::value& each) { return each.is_string(); });
            }
        }
        return false;
    };
    for (const argument& each : found->arguments) {
        const json::value* const value = given.if_contains({each.name.data(), each.name.size()});
        if (value == nullptr) {
            if (each.need == argument::optional) continue;
            error = "'" + std::string(each.name) + "' is missing";
            return std::nullopt;
        }
        if (!fits(*value, each)) {
            error = "'" + std::string(each.name) + "' is not of the right kind";
            return std::nullopt;
        }
        call.arguments[{each.name.data(), each.name.size()}] = *value;
    }
    return call;
}

}  // namespace broker
