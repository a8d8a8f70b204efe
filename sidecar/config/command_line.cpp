// The command line and the environment, by CLI11 and by the table. CLI11 is given the command line only:
// reading files with it would put the file before the environment.

#include <CLI/CLI.hpp>

#include "sidecar/config/given.hpp"
#include "sidecar/config/options.hpp"

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
    option->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    option->type_name(std::string(value_name))->expected(kind == value_kind::toggle ? 0 : 1, 1);
    if (kind == value_kind::list) option->expected(1, 1000);
    option->allow_extra_args(false);
}

// One line whatever CLI11 has to say.
std::string one_line(std::string text) {
    for (char& c : text)
        if (c == '\n') c = ' ';
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
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
    std::map<std::string_view, std::vector<std::string>> results;
    for (const setting& entry : all_settings())
        add_option(app, "--" + std::string(entry.flag), entry.kind, entry.value_name, results[entry.flag]);
    std::vector<std::string> files;
    add_option(app, "--config", value_kind::text, "FILE", files);
    try {
        app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
    } catch (const CLI::ParseError& error) {
        return config_error{one_line(error.what())};
    }

    command_line read;
    if (files.size() > 1) return config_error{"--config: given more than once"};
    if (!files.empty()) read.config_file = files.front();
    for (const setting& entry : all_settings()) {
        std::vector<std::string>& values = results[entry.flag];
        const std::string name = "--" + std::string(entry.flag);
        if (app.get_option(name)->count() == 0) continue;
        given_setting given{{}, name, origin::flag};
        if (entry.kind == value_kind::list) {
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
        if (entry.kind == value_kind::list) given.values = split_list(*value);
        read.emplace(entry.flag, std::move(given));
    }
    return read;
}

}  // namespace sidecar
