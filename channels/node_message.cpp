#include "channels/node_message.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace channels {
namespace {

constexpr std::array<std::string_view, 10> verbs = {"send",      "answer", "group",    "join", "leave",
                                                    "leave_all", "taken",  "handover", "wake", "flush"};
constexpr std::size_t names_max = 100'000;

void append_field(std::string& out, std::string_view text) {
    out += std::to_string(text.size());
    out += ':';
    out += text;
}

template <class N>
std::optional<N> number_of(std::string_view text) {
    N number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

// The field at the front of `bytes`, which is then shortened by it.
std::optional<std::string_view> take_field(std::string_view& bytes) {
    constexpr std::size_t digits_max = 10;
    const std::size_t colon = bytes.substr(0, digits_max + 1).find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto length = number_of<std::size_t>(bytes.substr(0, colon));
    if (!length || *length > bytes.size() - colon - 1) return std::nullopt;
    const auto field = bytes.substr(colon + 1, *length);
    bytes.remove_prefix(colon + 1 + *length);
    return field;
}

template <std::size_t N>
std::optional<std::array<std::string_view, N>> take_fields(std::string_view& bytes) {
    std::array<std::string_view, N> fields;
    for (auto& field : fields) {
        const auto taken = take_field(bytes);
        if (!taken) return std::nullopt;
        field = *taken;
    }
    return fields;
}

std::optional<std::vector<std::string>> split_names(std::string_view text) {
    std::vector<std::string> names;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        if (end > 0) names.emplace_back(text.substr(0, end));
        if (names.size() > names_max) return std::nullopt;
        text.remove_prefix(std::min(text.size(), end + 1));
    }
    return names;
}

std::string tally_text(const group_tally& t) {
    return std::to_string(t.processes) + " " + std::to_string(t.members) + " " + std::to_string(t.delivered) +
           " " + std::to_string(t.dropped_capacity) + " " + std::to_string(t.dropped_slow);
}

std::optional<group_tally> tally_of(std::string_view text) {
    group_tally tally;
    const auto numbers = split_names(text);
    if (!numbers || numbers->empty()) return tally;
    if (numbers->size() != 5) return std::nullopt;
    std::uint64_t* const places[] = {&tally.processes, &tally.members, &tally.delivered,
                                     &tally.dropped_capacity, &tally.dropped_slow};
    for (std::size_t i = 0; i < 5; ++i) {
        const auto number = number_of<std::uint64_t>((*numbers)[i]);
        if (!number) return std::nullopt;
        *places[i] = *number;
    }
    return tally;
}

shared_payload payload_of(std::string_view bytes) {
    return std::make_shared<const std::string>(bytes);
}

std::string_view text_of(const shared_payload& body) {
    return body ? std::string_view(*body) : std::string_view{};
}

}  // namespace

std::string join_names(const std::vector<std::string>& names) {
    std::string out;
    for (const auto& name : names) {
        if (!out.empty()) out += ' ';
        out += name;
    }
    return out;
}

std::string head_of(const node_message& m, std::size_t body_bytes) {
    std::string out;
    append_field(out, verbs.at(static_cast<std::size_t>(m.verb)));
    append_field(out, std::to_string(m.layer.database));
    append_field(out, m.layer.prefix);
    append_field(out, std::to_string(m.request));
    append_field(out, m.origin);
    append_field(out, m.name);
    append_field(out, join_names(m.names));
    append_field(out, std::to_string(m.capacity));
    append_field(out, std::to_string(m.expiry_ms));
    append_field(out, std::to_string(m.result));
    append_field(out, m.verb == node_verb::answer ? tally_text(m.tally) : std::string{});
    return out + std::to_string(body_bytes) + ":";
}

std::string encode(const node_message& m) {
    return head_of(m, text_of(m.body).size()).append(text_of(m.body));
}

std::optional<node_message> decode_node_message(std::string_view bytes) {
    const auto fields = take_fields<12>(bytes);
    if (!fields || !bytes.empty()) return std::nullopt;
    const auto& f = *fields;
    node_message m;
    const auto* verb = std::find(verbs.begin(), verbs.end(), f[0]);
    const auto database = number_of<int>(f[1]);
    const auto request = number_of<std::uint64_t>(f[3]);
    auto names = split_names(f[6]);
    const auto capacity = number_of<std::uint64_t>(f[7]);
    const auto expiry = number_of<std::int64_t>(f[8]);
    const auto result = number_of<std::uint8_t>(f[9]);
    const auto tally = tally_of(f[10]);
    if (verb == verbs.end() || !database || *database < 0 || *database > 15 || !request || !names ||
        !capacity || !expiry || !result || !tally)
        return std::nullopt;
    m.verb = static_cast<node_verb>(verb - verbs.begin());
    m.layer = {*database, std::string(f[2])};
    m.request = *request;
    m.origin = f[4];
    m.name = f[5];
    m.names = std::move(*names);
    m.capacity = *capacity;
    m.expiry_ms = *expiry;
    m.result = *result;
    m.tally = *tally;
    m.body = payload_of(f[11]);
    return m;
}

std::string spool_head(const spooled_message& message, std::string_view origin, std::size_t body_bytes) {
    std::string out;
    append_field(out, message.group.empty() ? "c" : "g");
    append_field(out, message.channel);
    append_field(out, message.group);
    append_field(out, join_names(message.except));
    append_field(out, origin);
    return out + std::to_string(body_bytes) + ":";
}

std::string encode_spooled(const spooled_message& message, std::string_view origin) {
    return spool_head(message, origin, text_of(message.body).size()).append(text_of(message.body));
}

std::optional<spooled_item> decode_spooled(std::string_view bytes) {
    const auto fields = take_fields<6>(bytes);
    if (!fields || !bytes.empty()) return std::nullopt;
    const auto& f = *fields;
    auto except = split_names(f[3]);
    const bool of_group = f[0] == "g";
    if (!except || (!of_group && f[0] != "c") || f[1].empty() != of_group || f[2].empty() == of_group)
        return std::nullopt;
    spooled_item item;
    item.message.channel = f[1];
    item.message.group = f[2];
    item.message.except = std::move(*except);
    item.message.body = payload_of(f[5]);
    item.origin = f[4];
    return item;
}

std::string encode_handover(const std::vector<spooled_message>& messages, std::string_view origin) {
    std::string out;
    for (const auto& message : messages) {
        append_field(out, std::to_string(message.expires_in_ms));
        append_field(out, encode_spooled(message, origin));
    }
    return out;
}

std::vector<spooled_message> decode_handover(std::string_view bytes) {
    std::vector<spooled_message> messages;
    while (!bytes.empty()) {
        const auto fields = take_fields<2>(bytes);
        if (!fields) break;
        const auto expires = number_of<std::int64_t>((*fields)[0]);
        auto item = decode_spooled((*fields)[1]);
        if (!expires || !item) break;
        item->message.expires_in_ms = *expires;
        messages.push_back(std::move(item->message));
    }
    return messages;
}

}  // namespace channels
