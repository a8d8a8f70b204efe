#include "broker/note_batch.hpp"

#include <cstring>

#include "resp/command_scanner.hpp"
#include "resp/writer.hpp"

namespace broker {

std::string shortened(std::string_view frame) {
    resp::scanned_command scanned;
    const auto status = resp::command_scanner().scan(frame, resp::peer_trust::known, scanned);
    const auto& args = scanned.args;
    if (status != resp::scan_status::command || args.size() < scanned.argument_count)
        return resp::command({""});
    std::vector<std::string_view> parts;
    parts.reserve(args.size());
    for (const auto arg : args) parts.push_back(noted_part(arg));
    std::string bytes;
    resp::append_command(bytes, parts);
    for (const auto arg : args) {
        const std::uint64_t length = arg.size();
        char raw[sizeof length];
        std::memcpy(raw, &length, sizeof length);
        bytes.append(raw, sizeof raw);
    }
    return bytes;
}

}  // namespace broker
