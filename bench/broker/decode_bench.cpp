// How fast messages are read: `decode_bench FOLDER [SECONDS]` prints a line of JSON for each way of reading
// and each message of the folder.

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "bench/micro/cases.hpp"
#include "broker/decode.hpp"
#include "broker/edit_envelope.hpp"
#include "broker/envelope.hpp"
#include "broker/glance.hpp"

namespace {

using steady = std::chrono::steady_clock;

struct message {
    std::string name;
    std::string bytes;
};

std::vector<message> messages_in(const std::filesystem::path& folder) {
    std::vector<message> out;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        out.push_back({entry.path().filename(), {std::istreambuf_iterator<char>(file), {}}});
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return out;
}

// Repetitions a second, over at least `seconds`.
double rate(const std::function<void()>& once, double seconds) {
    constexpr int batch = 64;
    std::size_t count = 0;
    const auto begin = steady::now();
    for (;;) {
        for (int i = 0; i < batch; ++i) once();
        count += batch;
        const double passed = std::chrono::duration<double>(steady::now() - begin).count();
        if (passed >= seconds) return static_cast<double>(count) / passed;
    }
}

void report(std::string_view what, const message& of, double a_second) {
    const boost::json::object line{{"what", boost::json::string(what)},
                                   {"message", boost::json::string(of.name)},
                                   {"bytes", of.bytes.size()},
                                   {"messages_per_s", static_cast<std::int64_t>(a_second)},
                                   {"mb_per_s", a_second * static_cast<double>(of.bytes.size()) / 1e6}};
    std::puts(boost::json::serialize(line).c_str());
}

void measure(const message& of, double seconds) {
    const std::string_view bytes = of.bytes;
    report("envelope", of, rate([&] { bench::keep(broker::read_envelope(bytes)); }, seconds));
    const auto tail = bytes.substr(bytes.size() - std::min(bytes.size(), broker::glance_tail_bytes));
    report("glance", of, rate([&] { bench::keep(broker::glance(tail, bytes.size())); }, seconds));
    report("decode", of, rate([&] { bench::keep(broker::decode(bytes)); }, seconds));
    broker::envelope_edit edit;
    edit.routing_key = "elsewhere";
    report("edit", of, rate([&] { bench::keep(broker::edit_envelope(bytes, edit)); }, seconds));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: decode_bench FOLDER [SECONDS]\n");
        return 2;
    }
    const double seconds = argc > 2 ? std::strtod(argv[2], nullptr) : 0.3;
    for (const auto& each : messages_in(argv[1])) measure(each, seconds);
    return 0;
}
