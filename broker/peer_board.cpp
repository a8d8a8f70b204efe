#include "broker/peer_board.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "broker/operations.hpp"

namespace broker {

namespace json = boost::json;

namespace {

// The writers' clocks may differ by a little; the keys themselves expire by Redis's.
constexpr std::int64_t index_kept_us = 3'600'000'000;

std::string peer_key(const std::string& id) {
    return own_key("peer:" + id);
}

std::string text_of(const json::value& value) {
    const auto* text = value.if_string();
    return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

}  // namespace

// {"more": whether some are missing, "workers": [[host, node], …]}
std::string peer_board::told(const std::vector<worker_place>& own) {
    json::array workers;
    for (const auto& each : own) {
        if (workers.size() == limits_.places_max) break;
        workers.push_back(
            json::array{json::string(shared_host(each.host, machine_)), json::string(each.node)});
    }
    const bool more = own.size() > limits_.places_max;
    if (more) untold_ += own.size() - limits_.places_max;
    return json::serialize(json::object{{"more", more}, {"workers", std::move(workers)}});
}

void peer_board::read(elsewhere& into, const std::string& text) const {
    json::error_code ec;
    const auto value = json::parse(json::string_view(text.data(), text.size()), ec);
    const auto* about = ec ? nullptr : value.if_object();
    const auto* workers = about == nullptr ? nullptr : about->if_contains("workers");
    if (workers == nullptr || !workers->is_array()) {
        into.incomplete = true;  // of another version: it may be any
        return;
    }
    const auto* more = about->if_contains("more");
    if (more == nullptr || !more->is_bool() || more->get_bool()) into.incomplete = true;
    for (const auto& each : workers->get_array()) {
        const auto* pair = each.if_array();
        if (pair != nullptr && pair->size() == 2)
            into.places.insert({text_of((*pair)[0]), text_of((*pair)[1])});
    }
}

std::vector<redis_command> peer_board::telling(const std::vector<worker_place>& own, std::int64_t now_us) {
    const std::string index = own_key("peers");
    if (!own.empty() || !others_.places.empty()) tell_until_us_ = now_us + limits_.presence_us;
    if (now_us >= tell_until_us_) {
        if (!stands_there_) return {};
        return {{"DEL", peer_key(self_)}, {"ZREM", index, self_}};
    }
    return {{"SET", peer_key(self_), told(own), "PX", std::to_string(limits_.forget_us / 1'000)},
            {"ZADD", index, std::to_string(now_us / 1'000), self_},
            {"ZREMRANGEBYSCORE", index, "-inf", std::to_string((now_us - index_kept_us) / 1'000)},
            {"PEXPIRE", index, std::to_string(index_kept_us / 1'000)}};
}

void peer_board::exchange(redis_port& redis, const std::vector<worker_place>& own, std::int64_t now_us) {
    std::vector<redis_command> commands = telling(own, now_us);
    commands.push_back({"ZREVRANGE", own_key("peers"), "0", std::to_string(limits_.peers_max)});
    const auto answers = redis.pipeline(commands);
    if (is_error(answers.back())) return;
    stands_there_ = now_us < tell_until_us_;
    std::vector<redis_command> questions;
    for (const auto& id : answers.back().items)
        if (id.text != self_) questions.push_back({"GET", peer_key(id.text)});
    const auto texts = questions.empty() ? std::vector<resp::value>() : redis.pipeline(questions);
    elsewhere fresh;
    fresh.machine = machine_;
    for (const auto& text : texts) {
        if (is_error(text)) return;
        if (!text.is_text()) continue;  // it has expired
        fresh.others = true;
        read(fresh, text.text);
    }
    others_ = std::move(fresh);
}

}  // namespace broker
