#include "sidecar/cli/commands.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "sidecar/cli/broker_commands.hpp"
#include "sidecar/cli/check.hpp"
#include "sidecar/config/load.hpp"
#include "sidecar/config/text.hpp"
#include "sidecar/net/log.hpp"
#include "sidecar/net/server.hpp"

namespace sidecar {
namespace {

using arguments = std::vector<std::string>;

struct subcommand {
    std::string_view name;
    std::string_view summary;
    int (*run)(const arguments& args);
};

int complain(const std::string& line) {
    std::fprintf(stderr, "sidecar: %s\n", line.c_str());
    return exit_status::bad_usage;
}

int print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    return exit_status::good;
}

bool asks_for_help(const arguments& args) {
    return std::any_of(args.begin(), args.end(),
                       [](const std::string& a) { return a == "--help" || a == "-h"; });
}

int run_serve(const arguments& args) {
    if (asks_for_help(args)) return print(serve_help());
    const auto loaded = load_config(args, process_environment);
    if (const auto* bad = std::get_if<config_error>(&loaded)) return complain(bad->line);
    const config& settings = std::get<config>(loaded);
    configure_log(settings.log_level, settings.log_json ? log_format::json : log_format::text);
    const int status = serve(settings, args);
    flush_log();
    return status;
}

int run_check(const arguments& args) {
    if (asks_for_help(args)) return print(check_help());
    const auto options = read_check_options(args, process_environment);
    if (const auto* bad = std::get_if<config_error>(&options)) return complain("check: " + bad->line);
    const check_report report = check_databases(std::get<check_options>(options));
    print(report.text);
    return report.good ? exit_status::good : exit_status::failed;
}

constexpr std::array<subcommand, 2> subcommands{{
    {"serve", "serve Redis clients (see sidecar serve --help)", run_serve},
    {"check", "test every db end to end; for people and container health checks", run_check},
}};

std::string line_of(std::string_view name, std::string_view summary) {
    std::string line = "  " + std::string(name);
    line.resize(14, ' ');
    return line + std::string(summary) + "\n";
}

std::string help() {
    std::string text =
        "Sidecar, a multiplexing Redis proxy for caches, Channels and Celery.\n\n"
        "Usage: sidecar COMMAND [--flag VALUE]...\n\n";
    for (const subcommand& command : subcommands) text += line_of(command.name, command.summary);
    text += "\nCelery's queues, through the HTTP API of a running sidecar (--url):\n\n";
    for (const cli_command& command : broker_commands()) text += line_of(command.name, command.summary);
    return text + "\n  --help    this text; sidecar COMMAND --help tells more\n  --version  the version\n";
}

}  // namespace

int run_command(const std::vector<std::string>& args) {
    if (args.empty()) return complain("no command given; try sidecar --help");
    const std::string& name = args.front();
    if (name == "--help" || name == "-h" || name == "help") return print(help());
    if (name == "--version" || name == "version") return print("sidecar " SIDECAR_VERSION "\n");
    const arguments rest(args.begin() + 1, args.end());
    for (const cli_command& command : broker_commands())
        if (command.name == name) return run_broker_command(command, rest);
    const auto found = std::find_if(subcommands.begin(), subcommands.end(),
                                    [&](const subcommand& c) { return c.name == name; });
    if (found == subcommands.end())
        return complain("unknown command " + in_quotes(name) + "; try sidecar --help");
    return found->run(rest);
}

}  // namespace sidecar
