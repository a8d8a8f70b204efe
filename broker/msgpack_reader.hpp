#pragma once
// MessagePack as msgpack-python writes it (kombu: use_bin_type, raw=False). Texts that are not UTF-8 are
// shown as bytes, timestamps (extension -1) as datetime.

#include <string_view>

#include "broker/typed_value.hpp"

namespace broker {

[[nodiscard]] decoded_value read_msgpack(std::string_view bytes, const value_limits& limits = {});

}  // namespace broker
