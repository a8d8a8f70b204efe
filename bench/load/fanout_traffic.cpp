#include "bench/load/fanout_traffic.hpp"

#include <cstdlib>

#include "bench/load/mix.hpp"
#include "resp/reply_scanner.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

std::uint64_t field(const std::string& info, const std::string& name) {
    const std::size_t at = info.find("\n" + name + ":");
    if (at == std::string::npos) fail("--count-bytes: no INFO of a Redis");
    return std::strtoull(info.c_str() + at + name.size() + 2, nullptr, 10);
}

}  // namespace

traffic_meter::traffic_meter(const std::string& host, std::uint16_t port, const std::string& password) {
    wires_.connect(host, port);
    if (!password.empty()) (void)ask(resp::command({"AUTH", password}));
}

std::uint64_t traffic_meter::bytes() {
    const std::uint64_t before = own_;
    const std::string command = resp::command({"INFO", "stats"});
    const std::string info = ask(command);
    // Its own answer Redis has not counted yet.
    return field(info, "total_net_input_bytes") + field(info, "total_net_output_bytes") - before -
           command.size();
}

std::string traffic_meter::ask(const std::string& command) {
    constexpr int turns_max = 500;
    std::string reply;
    resp::reply_scanner scanner;
    bool whole = false;
    wires_.send(0, command);
    for (int i = 0; i < turns_max && !whole; ++i)
        wires_.turn(std::chrono::milliseconds(20), [&](std::size_t, std::string_view bytes) {
            const auto found = scanner.scan(bytes);
            reply.append(bytes.substr(0, found.bytes));
            whole = found.status == resp::reply_status::complete;
            return found.bytes;
        });
    if (!whole || reply.front() == '-') fail("--count-bytes: " + (whole ? reply : "no answer"));
    own_ += command.size() + reply.size();
    return reply;
}

}  // namespace bench
