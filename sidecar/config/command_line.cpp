// The command line and the environment, by CLI11 and by the table. CLI11 is given the command line only:
// reading files with it would put the file before the environment.

#include <CLI/CLI.hpp>

#include "sidecar/config/given.hpp"
#include "sidecar/config/options.hpp"
#include "sidecar/config/text.hpp"

namespace sidecar {
namespace {

void add_option(CLI::App& app, const std::string& name, value_kind kind, std::string_view value_name,
                std::vector<std::string>& values) {
    CLI::Option* option = app.add_option(
        name,
        [&values](const CLI::results_t& results) {
            values = results;
            return true;
        },
        "");
    // One value for each time the flag stands: more is seen and refused here, not taken from what follows.
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    option->type_name(std::string(value_name))->expected(kind == value_kind::toggle ? 0 : 1, 1);
    option->allow_extra_args(false);
}

// Our own words for what CLI11 reports, without values: they may be secret.
config_error unexpected(const std::string& argument) {
    const std::string shown = in_quotes(argument.substr(0, argument.find('=')));
    return config_error{(argument.starts_with('-') ? "unknown flag " : "unexpected argument ") + shown};
}

config_error value_missing(const CLI::ArgumentMismatch& error) {
    const std::string text = error.what();
    return config_error{text.substr(0, text.find(':')) + ": the value is missing"};
}

// In the order CLI11 takes them, which is from the back; "--flag=" becomes "--flag" and an empty value.
std::vector<std::string> arguments_for_parser(std::span<const std::string> args) {
    std::vector<std::string> reversed;
    for (auto arg = args.rbegin(); arg != args.rend(); ++arg) {
        const bool empty_value = arg->starts_with("--") && arg->find('=') == arg->size() - 1;
        if (empty_value) reversed.emplace_back();
        reversed.push_back(empty_value ? arg->substr(0, arg->size() - 1) : *arg);
    }
    return reversed;
}

}  // namespace

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> parts;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t comma = std::min(text.find(',', start), text.size());
        std::string_view part = text.substr(start, comma - start);
        while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
        while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
        parts.emplace_back(part);
        start = comma + 1;
    }
    return parts;
}

std::variant<command_line, config_error> read_command_line(std::span<const std::string> args) {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::map<std::string_view, std::vector<std::string>> results;
    for (const setting& entry : all_settings())
        add_option(app, "--" + std::string(entry.flag), entry.kind, entry.value_name, results[entry.flag]);
    std::vector<std::string> files;
    add_option(app, "--config", value_kind::text, "FILE", files);
    try {
        app.parse(arguments_for_parser(args));
    } catch (const CLI::ArgumentMismatch& error) {
        return value_missing(error);
    } catch (const CLI::ParseError& error) {
        return config_error{error.what()};
    }
    if (const std::vector<std::string> extras = app.remaining(); !extras.empty())
        return unexpected(extras.front());

    command_line read;
    if (files.size() > 1) return config_error{"--config: given more than once"};
    if (!files.empty() && files.front().empty()) return config_error{"--config: the value is missing"};
    if (!files.empty()) read.config_file = files.front();
    for (const setting& entry : all_settings()) {
        std::vector<std::string>& values = results[entry.flag];
        const std::string name = "--" + std::string(entry.flag);
        if (app.get_option(name)->count() == 0) continue;
        given_setting given{{}, name, origin::flag};
        if (is_list(entry.kind)) {
            for (const std::string& value : values)
                for (std::string& part : split_list(value)) given.values.push_back(std::move(part));
        } else {
            if (values.size() > 1) return config_error{name + ": given more than once"};
            const bool bare = entry.kind == value_kind::toggle && (values.empty() || values.front().empty());
            given.values = bare ? std::vector<std::string>{"yes"} : std::move(values);
        }
        read.settings.emplace(entry.flag, std::move(given));
    }
    return read;
}

given_settings read_environment(const environment& get) {
    given_settings read;
    for (const setting& entry : all_settings()) {
        const std::string name(entry.env);
        const std::optional<std::string> value = get(name);
        if (!value || value->empty()) continue;
        given_setting given{{*value}, name, origin::variable};
        if (is_list(entry.kind)) given.values = split_list(*value);
        read.emplace(entry.flag, std::move(given));
    }
    return read;
}

}  // namespace sidecar
