#pragma once
// Calls of the layer's scripts as commands for Redis, and what their replies hold.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "channels/native_lua.hpp"
#include "channels/native_types.hpp"
#include "resp/value.hpp"

namespace channels {

// The inbox of a node is a pub/sub channel of this beginning.
inline constexpr std::string_view inbox_prefix = "__sidecar:ch:in:";

[[nodiscard]] std::string layer_key(const layer_ref& layer, std::string_view rest);

// One call. The body, when there is one, is the last argument and not copied before the command is spelt.
struct native_call {
    native_call(script which, const layer_ref& layer, std::string_view node,
                std::initializer_list<std::string_view> args = {});
    void add(std::string_view arg) { args.emplace_back(arg); }
    void declare(std::string_view rest_of_key) { keys.push_back(layer_key(layer, rest_of_key)); }

    [[nodiscard]] std::string by_sha1() const { return command(true); }
    [[nodiscard]] std::string with_text() const { return command(false); }
    [[nodiscard]] std::size_t bytes() const;

    script which;
    layer_ref layer;
    std::vector<std::string> keys;  // beside those of the db
    std::vector<std::string> args;
    shared_payload body;

private:
    [[nodiscard]] std::string command(bool short_form) const;
};

// SCRIPT LOAD of every script.
[[nodiscard]] std::vector<std::string> load_commands();

struct waiting_item {
    spooled_message message;
    std::string origin;
};
// (expires_in_ms, item) pairs; what cannot be read is left out.
[[nodiscard]] std::vector<waiting_item> read_waiting(const resp::value& pairs);
[[nodiscard]] std::vector<spooled_message> messages_of(std::vector<waiting_item> items);
// ("group channel", expires_in_ms) pairs.
[[nodiscard]] std::vector<membership> read_memberships(const resp::value& pairs);

}  // namespace channels
