// sidecar-bench: loads for a server that speaks the Redis protocol. The closed loops print one JSON object
// each; fanout prints a table.

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "bench/load/closed_loop.hpp"
#include "bench/load/fanout_command.hpp"

namespace bench {
namespace {

void print(const load_result& result) {
    const double seconds = std::chrono::duration<double>(result.time).count();
    const auto micros = [&](double part) {
        return std::chrono::duration<double, std::micro>(result.latencies.quantile(part)).count();
    };
    std::printf(
        R"({"commands": %llu, "batches": %llu, "seconds": %.3f, "rps": %.1f, "p50_us": %.1f, "p99_us": %.1f})"
        "\n",
        static_cast<unsigned long long>(result.commands), static_cast<unsigned long long>(result.batches),
        seconds, static_cast<double>(result.commands) / seconds, micros(0.5), micros(0.99));
}

struct request {
    load_settings load;
    mix_settings mix;
};

void add_mix(CLI::App& app, const mix_kind& kind, request& given) {
    CLI::App* command = app.add_subcommand(kind.name, kind.help);
    command->add_option("--host", given.load.host, "IPv4 address")->capture_default_str();
    command->add_option("--port", given.load.port)->required();
    command->add_option("--clients", given.load.clients)->capture_default_str();
    command->add_option("--commands", given.load.commands, "how many to send")->capture_default_str();
    command->add_option("--value", given.mix.value, "bytes of a value or task")->capture_default_str();
    command->add_option("--keys", given.mix.keys)->capture_default_str()->check(CLI::Range(100, 10'000'000));
    command->callback([&] {
        given.mix.clients = given.load.clients;
        const auto load = kind.make(given.mix);
        print(closed_loop(given.load, *load).run());
    });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    CLI::App app("Loads for a server that speaks the Redis protocol");
    app.require_subcommand(1);
    bench::request given;
    for (const auto& kind : bench::mix_kinds()) add_mix(app, kind, given);
    bench::add_fanout(app);
    CLI11_PARSE(app, argc, argv);
    return 0;
}
