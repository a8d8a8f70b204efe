#include "bench/load/fanout_command.hpp"

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <fstream>
#include <map>

#include "bench/load/fanout_processes.hpp"
#include "bench/load/fanout_report.hpp"
#include "bench/load/fanout_traffic.hpp"
#include "bench/load/mix.hpp"

namespace bench {

namespace {

constexpr const char* explanation = R"(
A message goes to every member of one group (or subscriber of one channel); how long each delivery took is
measured, and what it cost. Messages are sent by the clock, whatever has arrived, and carry the time at which
they were due, so that a server that stalls is charged for all that waited.

  KIND, in --run NAME=KIND@PORT (repeatable: each rate is tried on one after the other):
    pubsub      PUBLISH and SUBSCRIBE, a connection for each member: Redis itself, or Sidecar before it
    native      Sidecar's CH.* commands, a connection for each process
    core        channels_redis.core.RedisChannelLayer, in Python processes
    layer       channels_redis.pubsub.RedisPubSubChannelLayer, in Python processes
    bare        no layer: datagrams between Python processes, which is what asyncio takes by itself
    package     sidecar_channels.SidecarChannelLayer, in Python processes (set PYTHONPATH, or --python)

  Where --rate is below what a server can do, read the latencies; where they grow beyond all measure, it is
  past its knee. --ramp finds that; --saturate measures what can be done at most. The CPU time of whoever
  listens on a run's port is shown, of others with --watch.

Examples:
  sidecar-bench fanout --run redis=pubsub@6380 --run sidecar=pubsub@6379 --members 1000 --rate 20
  sidecar-bench fanout --run sidecar=pubsub@6379 --watch redis=:6380 --ramp 100:5000 --html ramp.html
  sidecar-bench fanout --run redis=pubsub@6380 --run sidecar=pubsub@6379 --burst 10 --saturate 2
  sidecar-bench fanout --run core=core@6380 --run native=package@6379 --members 1000 --processes 10 --rate 4
)";

struct fanout_request {
    std::vector<std::string> runs;
    std::vector<std::string> watched;
    target_settings target;
    step_plan plan;
    double seconds = 5;
    double warm_up = 0.5;
    double p99_max_ms = 50;
    std::uint32_t window = 0;
    std::string ramp;
    std::string json_path;
    std::string html_path;
    std::uint16_t bytes_port = 0;
};

const std::map<std::string, target_kind> kinds{
    {"pubsub", target_kind::pubsub},   {"native", target_kind::native},
    {"core", target_kind::layer_core}, {"layer", target_kind::layer_pubsub},
    {"bare", target_kind::layer_bare}, {"package", target_kind::layer_native}};

struct opened_target {
    target_settings settings;
    std::unique_ptr<fanout_target> load;
    std::vector<watched_process> servers;
};

target_settings parse_run(const std::string& text, const target_settings& common) {
    const std::size_t equals = text.find('=');
    const std::size_t at = text.find('@');
    if (equals == std::string::npos || at == std::string::npos || at < equals)
        fail("--run " + text + ": NAME=KIND@PORT is wanted");
    const auto kind = kinds.find(text.substr(equals + 1, at - equals - 1));
    if (kind == kinds.end()) fail("--run " + text + ": no such kind; --help lists them");
    target_settings settings = common;
    settings.name = text.substr(0, equals);
    const auto named = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
    if (equals == 0 || equals > 40 || !std::all_of(settings.name.begin(), settings.name.end(), named))
        fail("--run " + text + ": a name is of letters, digits and _, 40 at most");
    settings.kind = kind->second;
    const int port = std::atoi(text.c_str() + at + 1);
    if (port < 1 || port > 65535) fail("--run " + text + ": no port");
    settings.port = static_cast<std::uint16_t>(port);
    return settings;
}

std::unique_ptr<fanout_target> make_target(const target_settings& settings) {
    if (settings.kind == target_kind::pubsub) return make_pubsub_target(settings);
    if (settings.kind == target_kind::native) return make_native_target(settings);
    return make_worker_target(settings);
}

opened_target open_target(const std::string& text, const fanout_request& asked) {
    opened_target fresh{parse_run(text, asked.target), nullptr, {}};
    for (const std::string& each : asked.watched) {
        const auto found = parse_watched(each);
        if (!found) fail("--watch " + each + ": no such process");
        fresh.servers.push_back(*found);
    }
    const auto listener = listener_of(fresh.settings.port);
    const bool known = std::any_of(fresh.servers.begin(), fresh.servers.end(),
                                   [&](const watched_process& s) { return s.pid == listener; });
    if (listener && !known) fresh.servers.push_back({process_name(*listener), *listener});
    std::fprintf(stderr, "%s: opening %u members\n", fresh.settings.name.c_str(), fresh.settings.members);
    fresh.load = make_target(fresh.settings);
    fresh.load->open();
    return fresh;
}

step_record measure(opened_target& target, const step_plan& plan, traffic_meter* traffic) {
    step_record record{target.settings.name, plan, {}, {}, {}};
    const std::uint64_t bytes = traffic != nullptr ? traffic->bytes() : 0;
    for (const watched_process& each : target.servers)
        record.servers.push_back({each.name, process_cpu_ns(each.pid)});
    record.result = target.load->run(plan);
    for (std::size_t i = 0; i < record.servers.size(); ++i)
        record.servers[i].ns = process_cpu_ns(target.servers[i].pid) - record.servers[i].ns;
    if (traffic != nullptr) record.redis_bytes = traffic->bytes() - bytes;
    return record;
}

std::vector<double> rates_of(const fanout_request& asked) {
    if (asked.ramp.empty()) return {asked.plan.rate};
    const auto rates = ramp_rates(asked.ramp);
    if (rates.empty()) fail("--ramp: FROM:TO or FROM:TO:FACTOR is wanted, such as 100:5000:1.5");
    return rates;
}

// Each target once with every rate; one that no longer keeps up is left out of the higher ones.
fanout_record measure_all(fanout_request& asked, std::vector<opened_target>& targets) {
    fanout_record record;
    record.rule.p99_max = std::chrono::microseconds(static_cast<std::int64_t>(asked.p99_max_ms * 1000));
    char title[200];
    std::snprintf(title, sizeof title, "%u members, %zu bytes, bursts of %u, %u publisher(s), %.1f s a step",
                  asked.target.members, asked.plan.payload, asked.plan.burst, asked.plan.publishers,
                  asked.seconds);
    record.title = title;
    std::map<std::string, bool> beyond;
    std::unique_ptr<traffic_meter> traffic;
    if (asked.bytes_port != 0)
        traffic = std::make_unique<traffic_meter>(asked.target.host, asked.bytes_port, asked.target.password);
    for (const double rate : rates_of(asked)) {
        for (opened_target& target : targets) {
            if (beyond[target.settings.name]) continue;
            step_plan plan = asked.plan;
            plan.rate = rate;
            plan.number = asked.plan.number++;
            record.steps.push_back(measure(target, plan, traffic.get()));
            std::fprintf(stderr, "%s\n", progress_line(record.steps.back()).c_str());
            beyond[target.settings.name] = !keeps_up(record.steps.back().verdict(), record.rule);
        }
    }
    return record;
}

void warm_up(const fanout_request& asked, std::vector<opened_target>& targets, std::uint32_t& number) {
    for (opened_target& target : targets) {
        step_plan plan = asked.plan;
        plan.rate = rates_of(asked).front();
        plan.time = std::chrono::nanoseconds(static_cast<std::int64_t>(asked.warm_up * 1e9));
        plan.messages_max = 0;
        plan.number = number++;
        if (plan.time.count() > 0) (void)target.load->run(plan);
    }
}

void write_file(const std::string& path, const std::string& bytes) {
    if (path.empty()) return;
    std::ofstream out(path, std::ios::binary);
    if (!(out << bytes).flush()) fail("cannot write " + path);
}

void run(fanout_request& asked) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    if (asked.window > 0) asked.plan.how = pacing::saturated;
    asked.plan.window = std::max(asked.window, 1U);
    asked.plan.time = std::chrono::nanoseconds(static_cast<std::int64_t>(asked.seconds * 1e9));
    std::vector<opened_target> targets;
    for (const std::string& each : asked.runs) targets.push_back(open_target(each, asked));
    warm_up(asked, targets, asked.plan.number);
    const fanout_record record = measure_all(asked, targets);
    std::printf("%s", table(record).c_str());
    write_file(asked.json_path, json(record));
    write_file(asked.html_path, html(record));
}

void add_options(CLI::App& command, fanout_request& asked) {
    command.add_option("--run", asked.runs, "NAME=KIND@PORT; repeatable")->required();
    command.add_option("--host", asked.target.host, "IPv4 address")->capture_default_str();
    command.add_option("--db", asked.target.database)->capture_default_str();
    command.add_option("--password", asked.target.password);
    command.add_option("--members", asked.target.members, "receivers")
        ->capture_default_str()
        ->check(CLI::Range(1, 1'000'000));
    command.add_option("--processes", asked.target.processes, "that members are spread over; not of pubsub")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    command.add_option("--payload", asked.plan.payload, "bytes of a message, 32 at least")
        ->capture_default_str();
    command.add_option("--rate", asked.plan.rate, "messages a second")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    command.add_option("--burst", asked.plan.burst, "messages due at the same moment")
        ->capture_default_str()
        ->check(CLI::Range(1, 10'000));
    command.add_option("--publishers", asked.plan.publishers, "numbered apart, on one connection")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    command.add_option("--ramp", asked.ramp, "FROM:TO[:FACTOR]: rates until it no longer keeps up");
    command.add_option("--saturate", asked.window,
                       "N bursts on their way at any time, instead of a rate: deliveries a second at most");
    command.add_option("--p99-max", asked.p99_max_ms, "ms: what keeping up with a rate means")
        ->capture_default_str();
    command.add_option("--seconds", asked.seconds, "of each step")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    command.add_option("--messages", asked.plan.messages_max, "of each step at most; 0: by time alone");
    command.add_option("--warm-up", asked.warm_up, "seconds that are not counted")->capture_default_str();
    command.add_option("--watch", asked.watched, "NAME=PID or NAME=:PORT: CPU of that process; repeatable");
    command.add_option("--count-bytes", asked.bytes_port,
                       "port of a Redis: its traffic in both directions, for each message");
    command.add_option("--python", asked.target.python, "for core, layer and package")->capture_default_str();
    command.add_option("--worker", asked.target.worker, "fanout_worker.py")->capture_default_str();
    command.add_option("--json", asked.json_path, "writes all figures to this file");
    command.add_option("--html", asked.html_path, "writes a report with curves to this file");
}

}  // namespace

void add_fanout(CLI::App& app) {
    static fanout_request asked;
    asked.target.worker = FANOUT_WORKER;
    CLI::App* command = app.add_subcommand("fanout", "messages to many receivers: latency, losses, CPU");
    command->footer(explanation);
    add_options(*command, asked);
    command->callback([] { run(asked); });
}

}  // namespace bench
