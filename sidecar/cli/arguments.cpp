#include "sidecar/cli/arguments.hpp"

#include <algorithm>

#include "sidecar/config/text.hpp"

namespace sidecar {
namespace {

using options_of_command = std::vector<const option_spec*>;

options_of_command all_options(const cli_command& command, std::span<const option_spec> common) {
    options_of_command all;
    for (const option_spec& option : command.options) all.push_back(&option);
    for (const option_spec& option : common) all.push_back(&option);
    return all;
}

const option_spec* find_option(const options_of_command& options, std::string_view word) {
    const auto found = std::find_if(options.begin(), options.end(), [&](const option_spec* option) {
        return option->name == word ||
               (option->letter != '\0' && word.size() == 2 && word[0] == '-' && word[1] == option->letter);
    });
    return found == options.end() ? nullptr : *found;
}

std::string option_column(const option_spec& option) {
    std::string text = option.letter == '\0' ? "    " : std::string{'-', option.letter, ',', ' '};
    text += option.name;
    if (option.value.starts_with('[')) return text + "[=" + std::string(option.value.substr(1));
    return option.value.empty() ? text : text + " " + std::string(option.value);
}

void append_options(std::string& text, std::span<const option_spec> options) {
    constexpr std::size_t help_column = 28;
    for (const option_spec& option : options) {
        std::string line = "  " + option_column(option);
        line.resize(std::max(help_column, line.size() + 2), ' ');
        text += line + std::string(option.help) + "\n";
    }
}

}  // namespace

std::string invocation::word(std::size_t place) const {
    return place < words_.size() ? words_[place] : std::string();
}

std::optional<std::string> invocation::value(std::string_view option) const {
    const auto found = options_.find(option);
    if (found == options_.end()) return std::nullopt;
    return found->second.back();
}

std::vector<std::string> invocation::values(std::string_view option) const {
    const auto found = options_.find(option);
    return found == options_.end() ? std::vector<std::string>() : found->second;
}

std::variant<invocation, std::string> invocation::parse(const cli_command& command,
                                                        std::span<const option_spec> common,
                                                        std::span<const std::string> args) {
    const options_of_command known = all_options(command, common);
    invocation made;
    bool options_over = false;
    for (std::size_t place = 0; place < args.size(); ++place) {
        const std::string& arg = args[place];
        if (options_over || arg.size() < 2 || arg[0] != '-') {
            made.words_.push_back(arg);
            continue;
        }
        if (arg == "--") {
            options_over = true;
            continue;
        }
        const std::size_t equals = arg.starts_with("--") ? arg.find('=') : std::string::npos;
        const option_spec* option = find_option(known, std::string_view(arg).substr(0, equals));
        if (option == nullptr) return "unknown option " + in_quotes(arg.substr(0, equals));
        std::string value;
        if (equals != std::string::npos) {
            if (option->value.empty()) return std::string(option->name) + " takes no value";
            value = arg.substr(equals + 1);
        } else if (!option->value.empty() && !option->value.starts_with('[')) {
            if (place + 1 == args.size())
                return std::string(option->name) + " needs a value: " + std::string(option->value);
            value = args[++place];
        }
        made.options_[std::string(option->name)].push_back(std::move(value));
    }
    if (made.has("--help")) return made;
    if (made.words_.size() < command.words_min)
        return "more is needed: " + std::string(command.name) + " " + std::string(command.usage);
    if (made.words_.size() > command.words_max)
        return "too many arguments: " + in_quotes(made.words_[command.words_max]);
    return made;
}

std::string help_of(const cli_command& command, std::span<const option_spec> common) {
    std::string text = "Usage: sidecar " + std::string(command.name);
    if (!command.usage.empty()) text += " " + std::string(command.usage);
    text += " [OPTION]...\n\n" + std::string(command.summary) + ".\n";
    if (!command.details.empty()) text += "\n" + std::string(command.details) + "\n";
    if (!command.options.empty()) text += "\n";
    append_options(text, command.options);
    text += "\nCommon options:\n";
    append_options(text, common);
    return text +
           "\nExit status: 0 done, 1 failed, 2 bad usage, 3 not found, 4 refused or changed meanwhile.\n";
}

}  // namespace sidecar
