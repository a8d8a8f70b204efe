#include "resp/command_scanner.hpp"

#include "bench/micro/cases.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

// Scans `bytes`, which hold `count` commands, from the front to the end.
std::function<void()> scan_all(std::string bytes) {
    return [bytes = std::move(bytes), scanner = resp::command_scanner(),
            found = resp::scanned_command()]() mutable {
        std::string_view rest = bytes;
        while (!rest.empty()) {
            keep(scanner.scan(rest, resp::peer_trust::known, found));
            rest.remove_prefix(found.bytes);
        }
    };
}

std::string repeated(std::string_view text, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += text;
    return out;
}

}  // namespace

void add_command_scanner_cases(std::vector<micro_case>& cases) {
    constexpr std::size_t count = 16;
    const std::string value(4096, 'v');
    cases.push_back({"resp/command_scanner/get", count, [] {
                         return scan_all(repeated(resp::command({"GET", "key:000000000042"}), count));
                     }});
    cases.push_back({"resp/command_scanner/set_4k", count, [value] {
                         return scan_all(repeated(resp::command({"SET", "key:000000000042", value}), count));
                     }});
    cases.push_back({"resp/command_scanner/mget_100", 1, [] {
                         const std::vector<std::string_view> keys(100, "key:000000000042");
                         std::vector<std::string_view> args{"MGET"};
                         args.insert(args.end(), keys.begin(), keys.end());
                         std::string bytes;
                         resp::append_command(bytes, args);
                         return scan_all(bytes);
                     }});
}

}  // namespace bench
