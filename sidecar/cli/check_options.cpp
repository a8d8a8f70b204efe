#include <CLI/CLI.hpp>
#include <algorithm>

#include "sidecar/cli/check.hpp"
#include "sidecar/config/setters.hpp"

namespace sidecar {
namespace {

// Takes the "/1" off "redis://host:6379/1": a client's URL names a db, and that db alone is checked then.
std::optional<int> take_database(std::string& url) {
    const std::size_t slash = url.rfind('/');
    const std::size_t scheme = url.find("://");
    if (!url.starts_with("redis") || scheme == std::string::npos || slash < scheme + 3) return std::nullopt;
    const std::string tail = url.substr(slash + 1);
    if (tail.size() != 1 || tail[0] < '0' || tail[0] >= '0' + database_count) return std::nullopt;
    url.resize(slash);
    return tail[0] - '0';
}

}  // namespace

std::variant<check_options, config_error> read_check_options(std::span<const std::string> args,
                                                             const environment& get) {
    CLI::App app;
    app.set_help_flag();
    std::string url = get("SIDECAR_CHECK_URL").value_or("");
    std::string where = "SIDECAR_CHECK_URL";
    if (url.empty()) url = "redis://127.0.0.1:6379";
    std::string timeout = "5s";
    std::string ca_file = get("SIDECAR_TLS_CA").value_or("");
    CLI::Option* given_url = app.add_option("URL", url);
    app.add_option("--timeout", timeout);
    app.add_option("--ca", ca_file);
    try {
        app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
    } catch (const CLI::ParseError& error) {
        std::string line = error.what();
        std::replace(line.begin(), line.end(), '\n', ' ');
        return config_error{mask_url_text(line)};
    }
    if (given_url->count() > 0) where = "URL";

    check_options options;
    if (const std::optional<int> db = take_database(url)) options.databases = {*db};
    if (const set_result bad = store(parse_redis_url(url), options.url))
        return config_error{where + ": " + bad->why};
    if (options.url.password.empty()) options.url.password = get("REDIS_PASSWORD").value_or("");
    if (const set_result bad = store(parse_milliseconds(timeout), options.timeout))
        return config_error{"--timeout: " + bad->why};
    if (options.timeout.count() == 0)
        return config_error{"--timeout: '" + timeout + "' leaves no time at all"};
    if (ca_file.empty()) return options;
    if (const set_result bad = store(parse_readable_file(ca_file), options.ca_file))
        return config_error{"--ca: " + bad->why};
    return options;
}

std::string check_help() {
    return "Usage: sidecar check [URL] [--timeout TIME] [--ca FILE]\n\n"
           "Connects to every db (0, 1, 2) as a client does: AUTH, SELECT, PING, writes, reads and deletes a "
           "key\n"
           "of its own, publishes. Prints a line for each db; exits 0, or 1 with what failed, where and "
           "why.\n\n"
           "  URL             redis://, rediss:// or unix://; with /N at its end only that db\n"
           "                  [SIDECAR_CHECK_URL; default redis://127.0.0.1:6379]\n"
           "  --timeout TIME  of each step [default 5s]\n"
           "  --ca FILE       authorities that a rediss:// server is verified with [SIDECAR_TLS_CA; default "
           "the\n"
           "                  system's]\n"
           "The password comes from the URL or from REDIS_PASSWORD.\n";
}

}  // namespace sidecar
