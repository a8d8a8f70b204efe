// One published message on its way to many subscribers of one name.

#include <memory>
#include <stdexcept>

#include "bench/micro/cases.hpp"
#include "bench/sidecar/memory_shard.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

std::string message(std::size_t size, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        resp::append_push_header(out, 3);
        resp::append_bulk(out, "message");
        resp::append_bulk(out, "room");
        resp::append_bulk(out, std::string(size, 'm'));
    }
    return out;
}

micro_case fan_out(std::string name, std::size_t subscribers, std::size_t size, std::size_t burst) {
    return {std::move(name), subscribers * burst, [=] {
                auto shard = std::make_shared<memory_shard>();
                shard->open_clients(subscribers, resp::command({"SUBSCRIBE", "room"}));
                shard->publish(message(size, burst));
                if (shard->count().messages_delivered != subscribers * burst)
                    throw std::logic_error("not every subscriber got every message");
                return [shard, frame = message(size, burst)] { shard->publish(frame); };
            }};
}

}  // namespace

void add_fan_out_cases(std::vector<micro_case>& cases) {
    cases.push_back(fan_out("sidecar/fan_out/100_subscribers_200_bytes", 100, 200, 1));
    cases.push_back(fan_out("sidecar/fan_out/1000_subscribers_200_bytes", 1000, 200, 1));
    cases.push_back(fan_out("sidecar/fan_out/1000_subscribers_burst_of_10", 1000, 200, 10));
    cases.push_back(fan_out("sidecar/fan_out/100_subscribers_64_kib", 100, 65536, 1));
}

}  // namespace bench
