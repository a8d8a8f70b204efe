#pragma once
// A revoked task that is part of a chord cannot just be dropped: the worker that finds it revoked counts it,
// and the chord's body would wait for ever otherwise. So it goes to a worker after all, as one that has
// expired: that one does not run it, stores REVOKED and tells the chord, by whatever backend it has.

#include <optional>
#include <string>
#include <string_view>

#include "broker/decode.hpp"

namespace broker {

// What `expires` of such a message says. Nobody else writes just that.
inline constexpr std::string_view expired_by_revocation = "1970-01-01T00:00:01+00:00";

// The same message, expired. nullopt when it is no part of a chord as far as `limits` let see, or of protocol
// 1.
[[nodiscard]] std::optional<std::string> expired_chord_part(std::string_view element,
                                                            const decode_limits& limits);

}  // namespace broker
