#include "sidecar/core/upstream_queue.hpp"

#include <array>
#include <memory>

#include "bench/micro/cases.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

// A turn's commands go in, are written, and are answered.
std::function<void()> pass_through(std::string command, std::size_t count) {
    auto queue = std::make_shared<sidecar::upstream_queue>();
    return [queue, command = std::move(command), count] {
        for (std::size_t i = 0; i < count; ++i) queue->push(sidecar::upstream_entry{}, command);
        std::array<std::string_view, 64> pieces;
        while (queue->unsent_bytes() > 0) {
            std::size_t bytes = 0;
            const std::size_t gathered = queue->gather(pieces);
            for (std::size_t i = 0; i < gathered; ++i) bytes += pieces[i].size();
            queue->on_written(bytes);
        }
        while (!queue->empty()) {
            keep(queue->front().owner);
            queue->pop_front();
        }
    };
}

}  // namespace

void add_upstream_queue_cases(std::vector<micro_case>& cases) {
    constexpr std::size_t count = 50;
    cases.push_back({"sidecar/upstream_queue/get", count, [] {
                         return pass_through(resp::command({"GET", "key:000000000042"}), count);
                     }});
    cases.push_back({"sidecar/upstream_queue/set_4k", count, [] {
                         return pass_through(resp::command({"SET", "key", std::string(4096, 'v')}), count);
                     }});
}

}  // namespace bench
