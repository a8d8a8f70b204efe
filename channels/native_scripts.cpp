#include "channels/native_scripts.hpp"

#include <utility>

#include "channels/node_message.hpp"
#include "resp/writer.hpp"

namespace channels {

std::string layer_key(const layer_ref& layer, std::string_view rest) {
    return std::string("__sidecar:ch:").append(layer.prefix).append(":").append(rest);
}

native_call::native_call(script s, const layer_ref& of, std::string_view node,
                         std::initializer_list<std::string_view> more)
    : which(s),
      layer(of),
      args{layer_key(of, ""), of.prefix, std::to_string(of.database), std::string(node)} {
    for (const auto arg : more) args.emplace_back(arg);
}

constexpr std::size_t argument_overhead_bytes = sizeof(std::string);

std::size_t native_call::bytes() const {
    std::size_t sum = body ? body->size() : 0;
    for (const auto& arg : args) sum += arg.size() + argument_overhead_bytes;
    return sum;
}

std::string native_call::command(bool short_form) const {
    const script_text& text = text_of(which);
    const std::string key_count = std::to_string(3 + keys.size());
    std::vector<std::string_view> words{short_form ? "EVALSHA" : "EVAL",
                                        short_form ? text.sha1 : text.body,
                                        key_count,
                                        "__sidecar:ch:homes",
                                        "__sidecar:ch:nodes",
                                        "__sidecar:ch:dead"};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), args.begin(), args.end());
    if (body) words.push_back(*body);
    std::string out;
    resp::append_command(out, words);
    return out;
}

std::vector<std::string> load_commands() {
    std::vector<std::string> commands;
    commands.reserve(script_count);
    for (int i = 0; i < script_count; ++i)
        commands.push_back(resp::command({"SCRIPT", "LOAD", text_of(static_cast<script>(i)).body}));
    return commands;
}

std::vector<waiting_item> read_waiting(const resp::value& pairs) {
    std::vector<waiting_item> items;
    for (std::size_t i = 0; i + 1 < pairs.items.size(); i += 2) {
        auto item = decode_spooled(pairs.items[i + 1].text);
        if (!item) continue;
        item->message.expires_in_ms = pairs.items[i].integer;
        items.push_back({std::move(item->message), std::move(item->origin)});
    }
    return items;
}

std::vector<spooled_message> messages_of(std::vector<waiting_item> items) {
    std::vector<spooled_message> messages;
    messages.reserve(items.size());
    for (auto& item : items) messages.push_back(std::move(item.message));
    return messages;
}

std::vector<membership> read_memberships(const resp::value& pairs) {
    std::vector<membership> memberships;
    for (std::size_t i = 0; i + 1 < pairs.items.size(); i += 2) {
        const std::string& text = pairs.items[i].text;
        const std::size_t space = text.find(' ');
        if (space == std::string::npos) continue;
        memberships.push_back({text.substr(0, space), text.substr(space + 1), pairs.items[i + 1].integer});
    }
    return memberships;
}

}  // namespace channels
