#include "resp/reply_scanner.hpp"

#include "bench/micro/cases.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

std::function<void()> scan_all(std::string_view reply, std::size_t count) {
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) bytes += reply;
    return [bytes = std::move(bytes), scanner = resp::reply_scanner()]() mutable {
        std::string_view rest = bytes;
        while (!rest.empty()) rest.remove_prefix(scanner.scan(rest).bytes);
    };
}

std::string bulk(std::size_t size) {
    std::string out;
    resp::append_bulk(out, std::string(size, 'v'));
    return out;
}

}  // namespace

void add_reply_scanner_cases(std::vector<micro_case>& cases) {
    constexpr std::size_t count = 16;
    cases.push_back({"resp/reply_scanner/ok", count, [] { return scan_all("+OK\r\n", count); }});
    cases.push_back({"resp/reply_scanner/bulk_16", count, [] { return scan_all(bulk(16), count); }});
    cases.push_back({"resp/reply_scanner/bulk_4k", count, [] { return scan_all(bulk(4096), count); }});
    cases.push_back({"resp/reply_scanner/array_100", 1, [] {
                         std::string reply;
                         resp::append_array_header(reply, 100);
                         for (int i = 0; i < 100; ++i) reply += bulk(16);
                         return scan_all(reply, 1);
                     }});
}

}  // namespace bench
