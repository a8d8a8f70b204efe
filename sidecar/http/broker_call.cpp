#include "sidecar/http/broker_call.hpp"

#include <algorithm>

#include "broker/kombu_names.hpp"
#include "resp/number.hpp"
#include "sidecar/config/text.hpp"

namespace sidecar {

namespace {

constexpr std::size_t json_depth_max = 32;
constexpr int discovery_steps_max = 64;  // of a request that comes before the first round is over

std::string decoded(std::string_view text) {
    std::string plain(text);
    std::replace(plain.begin(), plain.end(), '+', ' ');
    auto value = percent_decoded(plain);
    if (!value) throw api_refusal{400, "the query is not percent-encoded properly"};
    return std::move(*value);
}

std::vector<std::pair<std::string, std::string>> query_of(std::string_view query) {
    std::vector<std::pair<std::string, std::string>> fields;
    while (!query.empty()) {
        const std::string_view field = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), field.size() + 1));
        if (field.empty()) continue;
        const std::size_t sign = field.find('=');
        fields.emplace_back(decoded(field.substr(0, sign)),
                            sign == field.npos ? std::string() : decoded(field.substr(sign + 1)));
    }
    return fields;
}

// Length of the UTF-8 sequence at the front; 0 when it is none.
std::size_t sequence_length(std::string_view bytes) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || bytes.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0U) != 0x80) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return length;
}

}  // namespace

json::string json_text(std::string_view bytes) {
    json::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t length = sequence_length(bytes);
        if (length == 0) {
            text += "\xEF\xBF\xBD";
            bytes.remove_prefix(1);
        } else {
            text.append(json::string_view(bytes.data(), length));
            bytes.remove_prefix(length);
        }
    }
    return text;
}

http_response json_response(const json::value& body, unsigned status) {
    http_response response;
    response.status = status;
    response.body = json::serialize(body) + "\n";
    return response;
}

http_response problem_response(const api_refusal& refusal) {
    http_response response;
    response.status = refusal.status;
    response.content_type = "application/problem+json";
    json::object body{{"type", "about:blank"},
                      {"title", json_text(reason_phrase(refusal.status))},
                      {"status", refusal.status},
                      {"detail", json_text(refusal.detail)}};
    for (const auto& member : refusal.more) body[member.key()] = member.value();
    response.body = json::serialize(body) + "\n";
    return response;
}

broker_call::broker_call(broker_control& control, const route_call& call)
    : control_(control), call_(call), query_(query_of(call.query)) {
    read_body();
    choose_broker();
}

void broker_call::read_body() {
    if (call_.request.body.empty()) return;
    json::error_code ec;
    json::parse_options options;
    options.max_depth = json_depth_max;
    const json::value value =
        json::parse(json::string_view(call_.request.body.data(), call_.request.body.size()), ec, {}, options);
    if (ec) throw api_refusal{400, "the body is not JSON: " + ec.message()};
    if (!value.is_object()) throw api_refusal{400, "the body must be a JSON object"};
    body_ = value.get_object();
}

void broker_call::choose_broker() {
    const auto& dbs = control_.settings().dbs;
    const auto db = static_cast<int>(number("db", dbs.empty() ? 2 : dbs.front(), 0, 15));
    desk_ = control_.desk(db);
    if (desk_ == nullptr) throw api_refusal{404, "db " + std::to_string(db) + " is not one of --broker-dbs"};
    desk_->catalog.catch_up(discovery_steps_max);
    const auto prefixes = desk_->catalog.prefixes();
    const auto wanted = query("broker");
    if (wanted && std::find(prefixes.begin(), prefixes.end(), *wanted) == prefixes.end())
        throw api_refusal{404, "there is no broker with this prefix"};
    layout_ = control_.layout_of(db, wanted.value_or(prefixes.front()));
}

std::optional<std::string> broker_call::query(std::string_view name) const {
    for (const auto& [key, value] : query_)
        if (key == name) return value;
    return std::nullopt;
}

std::int64_t broker_call::number(std::string_view name, std::int64_t usual, std::int64_t min,
                                 std::int64_t max) const {
    const auto text = query(name);
    if (!text) return usual;
    const auto value = resp::parse_number(*text);
    if (!value || *value < min || *value > max)
        throw api_refusal{400, std::string(name) + " must be a number from " + std::to_string(min) + " to " +
                                   std::to_string(max)};
    return *value;
}

bool broker_call::flag(std::string_view name, bool usual) const {
    const auto text = query(name);
    if (!text) return usual;
    if (*text == "true" || *text == "1") return true;
    if (*text == "false" || *text == "0") return false;
    throw api_refusal{400, std::string(name) + " must be true or false"};
}

std::string broker_call::text_of(std::string_view name) const {
    const auto* value = body_.if_contains({name.data(), name.size()});
    if (value == nullptr || value->is_null()) return {};
    if (!value->is_string()) throw api_refusal{400, std::string(name) + " must be a string"};
    return std::string(value->get_string().data(), value->get_string().size());
}

std::optional<std::int64_t> broker_call::number_of(std::string_view name) const {
    const auto* value = body_.if_contains({name.data(), name.size()});
    if (value == nullptr || value->is_null()) return std::nullopt;
    if (!value->is_int64()) throw api_refusal{400, std::string(name) + " must be an integer"};
    return value->get_int64();
}

bool broker_call::flag_of(std::string_view name) const {
    const auto* value = body_.if_contains({name.data(), name.size()});
    if (value == nullptr || value->is_null()) return false;
    if (!value->is_bool()) throw api_refusal{400, std::string(name) + " must be true or false"};
    return value->get_bool();
}

std::string broker_call::by() const {
    return std::string(call_.caller) + " " + std::string(call_.request.remote);
}

std::vector<std::string> broker_call::queues() const {
    auto names = desk_->catalog.queues(layout_);
    // A queue that was empty whenever the catalogue came by has passed on the wire.
    for (const auto& seen : control_.observer().queues())
        if (seen.broker == id() && broker::is_work_queue(seen.name)) names.push_back(seen.name);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

const std::string& broker_call::known_queue(std::size_t index) const {
    const std::string& name = path(index);
    const auto all = queues();
    if (std::binary_search(all.begin(), all.end(), name)) return name;
    // Its first message may have come just now.
    const auto depth = desk_->inspector.depths(layout_, {name});
    for (const auto count : depth.front())
        if (count > 0 && broker::is_work_queue(name)) return name;
    throw api_refusal{404, "there is no queue of this name"};
}

}  // namespace sidecar
