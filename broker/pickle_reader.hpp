#pragma once
// Pickles as values to look at. Nothing is imported, called or built: a name is shown as text, a call as
// class and arguments (typed "object"). What common classes mean by their arguments is read: datetime, date,
// time, timedelta, Decimal, UUID, OrderedDict, set, bytes of older protocols.

#include <string_view>

#include "broker/typed_value.hpp"

namespace broker {

[[nodiscard]] decoded_value read_pickle(std::string_view bytes, const value_limits& limits = {});

}  // namespace broker
