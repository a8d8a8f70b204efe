#pragma once
// Pub/sub is global in Redis, so the db split needs channel names to have owners (design §4):
//   /m.…                      db m        kombu's fan-out channels
//   __keyspace@m__:… and __keyevent@m__:…  db m        keyspace notifications
//   asgi…                     db 1        Django Channels
//   __sidecar:ch:…            nobody      what nodes of the native layer tell each other
// Every other name is free for all dbs. Because each rule is a prefix, the names a db may not use can be
// expressed as a union of Redis glob patterns over the complement, which is how an upstream ACL user is
// confined.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace channels {

// The db that owns a channel name (0 … 2 only; others own nothing); nullopt = free.
[[nodiscard]] std::optional<int> owner_of(std::string_view channel);

// Belongs to no client at all.
[[nodiscard]] bool is_reserved(std::string_view channel);

// May a client of db publish to, subscribe to, or be delivered this name?
[[nodiscard]] bool may_use(int db, std::string_view channel);

// May a client of db hold this pattern? Only a pattern whose fixed prefix already lies inside another db's
// names is refused; any other is allowed and filtered name by name on delivery.
[[nodiscard]] bool may_subscribe_pattern(int db, std::string_view pattern);

// Redis glob patterns ("&pattern" without the ampersand) whose union matches exactly the names a client of db
// may use.
[[nodiscard]] std::vector<std::string> allowed_patterns(int db);

}  // namespace channels
