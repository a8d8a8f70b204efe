#include "broker/broker_layout.hpp"

namespace broker {

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const char c = text[i];
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex) return false;
    }
    return true;
}

bool is_internal_queue(std::string_view name) {
    return name.ends_with(".pidbox") || name.starts_with("celeryev.") || name.starts_with("bcast.") ||
           name.starts_with(own_prefix) || name.starts_with("_kombu.") || is_uuid(name);
}

}  // namespace broker
