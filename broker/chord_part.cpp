#include "broker/chord_part.hpp"

#include <boost/json/string.hpp>

#include "broker/edit_envelope.hpp"

namespace broker {

std::optional<std::string> expired_chord_part(std::string_view element, const decode_limits& limits) {
    const decoded_message message = decode(element, limits);
    if (message.kind != message_kind::task || !message.embed.is_object()) return std::nullopt;
    const auto* chord = message.embed.get_object().if_contains("chord");
    if (chord == nullptr || chord->is_null()) return std::nullopt;
    envelope_edit edit;
    edit.headers.emplace_back("expires", boost::json::string(expired_by_revocation));
    return edit_envelope(element, edit);
}

}  // namespace broker
