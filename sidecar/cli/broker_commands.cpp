#include "sidecar/cli/broker_commands.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <thread>

#include "sidecar/cli/json_view.hpp"
#include "sidecar/cli/terminal.hpp"
#include "sidecar/config/load.hpp"
#include "sidecar/config/parse.hpp"
#include "sidecar/config/setters.hpp"
#include "sidecar/config/text.hpp"

namespace sidecar {
namespace {

constexpr std::string_view default_url = "http://127.0.0.1:8379";

std::string given_or(const invocation& call, std::string_view option, const std::string& variable) {
    if (const auto value = call.value(option)) return *value;
    return process_environment(variable).value_or("");
}

std::uint64_t watch_seconds(const invocation& call) {
    const std::string given = call.value("--watch").value_or("");
    if (given.empty()) return 2;
    std::uint64_t seconds = 0;
    const auto [end, ec] = std::from_chars(given.data(), given.data() + given.size(), seconds);
    if (ec != std::errc() || end != given.data() + given.size() || seconds == 0 || seconds > 86'400)
        bad_usage("--watch=" + given + ": seconds from 1 to 86400 are meant");
    return seconds;
}

std::string title_of_watch(const invocation& call, std::uint64_t seconds) {
    std::string title = "Every " + std::to_string(seconds) + " s";
    for (const std::string& word : call.words()) title += "  " + shown(word);
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    std::array<char, 32> clock{};
    if (localtime_r(&now, &parts) != nullptr)
        clock[std::strftime(clock.data(), clock.size() - 1, "%H:%M:%S", &parts)] = '\0';
    return styled(title + "  " + clock.data(), text_style::dim) + "\n\n";
}

// The first lines that fit: a screen that scrolls could not be drawn over.
std::string cut_to_rows(const std::string& text, std::size_t rows) {
    std::size_t end = 0;
    for (std::size_t row = 0; row + 1 < rows; ++row) {
        const std::size_t newline = text.find('\n', end);
        if (newline == std::string::npos) return text;
        end = newline + 1;
    }
    return text.substr(0, end);
}

int watch(const invocation& call, const api_client& client, const fetch_function& fetch,
          const view_function& view) {
    const std::uint64_t seconds = watch_seconds(call);
    const bool screen = stdout_is_terminal() && !call.has("--json");
    while (true) {
        std::string text;
        try {
            const boost::json::value answer = fetch(client);
            text = call.has("--json") ? json_text(answer, json_layout::line) + "\n" : view(answer);
        } catch (const command_failure& failure) {
            // A sidecar that restarts is back soon; what cannot become better ends the command.
            if (failure.status() != exit_status::failed) throw;
            if (!screen)
                std::fprintf(stderr, "sidecar: %s\n", failure.what());
            else
                text = styled(shown(failure.what()), text_style::bad) + "\n";
        }
        if (screen) {
            text.insert(0, title_of_watch(call, seconds));
            text = cut_to_rows(text, stdout_size().rows);
            text.insert(0, "\x1b[H\x1b[2J");
        }
        print_text(text);
        std::this_thread::sleep_for(std::chrono::seconds(seconds));
    }
}

}  // namespace

void bad_usage(const std::string& line) {
    throw command_failure(exit_status::bad_usage, line);
}

void print_text(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw command_failure(exit_status::failed, "");
}

std::string query_of(const std::vector<std::pair<std::string_view, std::string>>& pairs) {
    std::string query;
    for (const auto& [name, value] : pairs)
        if (!value.empty())
            query += (query.empty() ? "?" : "&") + std::string(name) + "=" + percent_encoded(value);
    return query;
}

std::optional<std::uint64_t> number_option(const invocation& call, std::string_view option,
                                           std::uint64_t least, std::uint64_t most) {
    const auto given = call.value(option);
    if (!given) return std::nullopt;
    std::uint64_t number = 0;
    const auto [end, ec] = std::from_chars(given->data(), given->data() + given->size(), number);
    if (ec != std::errc() || end != given->data() + given->size() || number < least || number > most)
        bad_usage(std::string(option) + " " + in_quotes(*given) + ": a number from " + std::to_string(least) +
                  " to " + std::to_string(most) + " is meant");
    return number;
}

api_client client_of(const invocation& call) {
    api_target target;
    std::string url = given_or(call, "--url", "SIDECAR_URL");
    if (url.empty()) url = default_url;
    if (const auto wrong = read_api_url(url, target)) bad_usage("--url: " + *wrong);
    target.token = given_or(call, "--token", "SIDECAR_HTTP_TOKEN");
    target.ca_file = given_or(call, "--ca", "SIDECAR_CA");
    if (const auto timeout = call.value("--timeout"))
        if (const set_result bad = store(parse_milliseconds(*timeout), target.timeout))
            bad_usage("--timeout: " + bad->why);
    if (target.timeout.count() == 0) bad_usage("--timeout leaves no time at all");
    std::string query;
    if (const auto broker = call.value("--broker")) query = "broker=" + percent_encoded(*broker);
    if (const auto db = number_option(call, "--db", 0, 15))
        query += (query.empty() ? "db=" : "&db=") + std::to_string(*db);
    target.query = query;
    return api_client(std::move(target));
}

int show(const invocation& call, const fetch_function& fetch, const view_function& view) {
    const api_client client = client_of(call);
    if (call.has("--watch")) return watch(call, client, fetch, view);
    const boost::json::value answer = fetch(client);
    print_text(call.has("--json") ? json_text(answer) + "\n" : view(answer));
    return exit_status::good;
}

int run_broker_command(const cli_command& command, const std::vector<std::string>& args) {
    const auto complain = [&](const std::string& line, int status) {
        if (!line.empty())
            std::fprintf(stderr, "sidecar %s: %s\n", std::string(command.name).c_str(), line.c_str());
        return status;
    };
    const auto parsed = invocation::parse(command, common_options(), args);
    if (const auto* wrong = std::get_if<std::string>(&parsed))
        return complain(*wrong + "; try sidecar " + std::string(command.name) + " --help",
                        exit_status::bad_usage);
    const auto& call = std::get<invocation>(parsed);
    try {
        if (call.has("--help")) {
            print_text(help_of(command, common_options()));
            return exit_status::good;
        }
        return command.run(call);
    } catch (const command_failure& failure) {
        return complain(shown(failure.what()), failure.status());
    }
}

}  // namespace sidecar
