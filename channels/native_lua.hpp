#pragma once
// The Lua texts of the native channel layer. Keys of a layer begin with base = "__sidecar:ch:<prefix>:".
//
//   homes                of the db: "prefix owner" → node, and " node" of who is registered
//   nodes, dead          of the db: nodes by last heartbeat; nodes nobody hears
//   np:<node>            of the db: the node's processes by their grace time
//   g:<group>            channels by the time their membership ends
//   go:<group>           owner → node (empty: no home): a field per process, not per member
//   p:<owner>            its memberships "group channel" → end
//   pg:<owner>           group → how many of its channels
//   q:<owner>            what waits for it: "<expires> <fields>", see node_message
//   s:<group> sm:<group> history: a stream with ids "<offset>-0"; epoch, top offset, run id of Redis
//   groups owners hists  what exists, by when it ends, so that no key is searched
//   w:<channel>          nodes with readers waiting on a normal channel
//   id:<key> once:<key>  idempotency keys
//
// Every key has a TTL. A node counts as live while it is in `nodes`; who cannot reach its inbox moves it to
// `dead`, and its processes' messages are spooled until it registers again or another node claims them.

#include <cstdint>
#include <string>

namespace channels {

enum class script : std::uint8_t {
    claim,
    release,
    send,
    receive,
    put_back,
    join,
    leave,
    leave_all,
    group_send,
    count,
    members,
    groups,
    history,
    once,
    heartbeat,
    flush,
};
inline constexpr int script_count = 16;

struct script_text {
    std::string body;
    std::string sha1;
};

[[nodiscard]] const script_text& text_of(script which);

}  // namespace channels
