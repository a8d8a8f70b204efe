#include "channels/channel_name.hpp"

#include <algorithm>

namespace channels {

namespace {

bool plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

}  // namespace

bool valid_group_name(std::string_view name) {
    return !name.empty() && name.size() <= name_bytes_max && std::all_of(name.begin(), name.end(), plain);
}

bool valid_prefix(std::string_view prefix) {
    return !prefix.empty() && prefix.size() <= name_bytes_max &&
           std::all_of(prefix.begin(), prefix.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool valid_channel_name(std::string_view name) {
    const std::size_t mark = name.find('!');
    if (mark == std::string_view::npos) return valid_group_name(name);
    const auto behind = name.substr(mark + 1);
    return name.size() <= name_bytes_max && valid_group_name(name.substr(0, mark)) &&
           std::all_of(behind.begin(), behind.end(), plain);
}

}  // namespace channels
