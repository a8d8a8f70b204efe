#include <algorithm>

#include "sidecar/config/load.hpp"
#include "sidecar/config/options.hpp"

namespace sidecar {
namespace {

constexpr std::size_t flag_width = 32;

std::string flag_column(const setting& entry) {
    std::string column = "  --" + std::string(entry.flag);
    if (!entry.value_name.empty()) column += " " + std::string(entry.value_name);
    column.resize(std::max(flag_width, column.size() + 1), ' ');
    return column;
}

std::string origin_line(std::string_view env, std::string_view default_text) {
    std::string line(flag_width, ' ');
    line += "[" + std::string(env);
    if (!default_text.empty()) line += "; default " + std::string(default_text);
    return line + "]\n";
}

}  // namespace

std::string serve_help() {
    std::string text =
        "Usage: sidecar serve [--flag VALUE]...\n\n"
        "Serves Redis clients on db 0 (cache), 1 (channels) and 2 (broker) of one or several Redis servers.\n"
        "Each flag is also an environment variable (in brackets; an empty one counts as unset) and a key of\n"
        "the configuration file (TOML; the flag's name with underscores). Flags win over variables, "
        "variables\n"
        "over the file. The file also has [users.NAME] with password or sha256, dbs and readonly.\n"
        "Times: 500ms, 3s, 2m, 1h; a plain number counts seconds. Sizes: 1048576, 64kb, 64mb, 1gb.\n\n"
        "Configuration\n"
        "  --config FILE                 configuration file; SIGHUP reads it again\n" +
        origin_line("SIDECAR_CONFIG", "none");
    std::string_view group;
    for (const setting& entry : all_settings()) {
        if (entry.group != group) text += "\n" + std::string(entry.group) + "\n";
        group = entry.group;
        text += flag_column(entry) + std::string(entry.help) + "\n" +
                origin_line(entry.env, entry.default_note.empty() ? entry.default_text : entry.default_note);
    }
    return text;
}

}  // namespace sidecar
