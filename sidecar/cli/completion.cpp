// Completion scripts for bash and zsh, written from the table of commands. Names of queues and workers are
// asked of the sidecar when somebody presses tab; one that is away completes nothing.

#include <string>

#include "sidecar/cli/broker_commands.hpp"

namespace sidecar {
namespace {

constexpr std::string_view bash_head = R"bash(# bash completion of sidecar
_sidecar_names() {
    sidecar "$1" --json --timeout 1s 2>/dev/null </dev/null |
        sed -n 's/^ *"'"$2"'": "\([^"\\]*\)",\{0,1\}$/\1/p'
}
_sidecar_words() {
    case $1 in
        queue) _sidecar_names queues name ;;
        worker) _sidecar_names workers node ;;
        trash) _sidecar_names undo id ;;
        worker_action) echo ping stats active reserved scheduled shutdown kick pool-grow pool-shrink \
            add-consumer cancel-consumer rate-limit ;;
        shell) echo bash zsh ;;
    esac
}
_sidecar_of() {
    commands='@COMMANDS@'
    options='' kinds='' values=''
    case $1 in
@CASES@    esac
}
)bash";

constexpr std::string_view bash_tail = R"bash(_sidecar() {
    local commands options kinds values current previous place=0 word kind
    current=${COMP_WORDS[COMP_CWORD]}
    previous=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    _sidecar_of "${COMP_WORDS[1]}"
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$current")
        return
    fi
    for word in $values; do
        [[ ${word%%:*} == "$previous" ]] || continue
        mapfile -t COMPREPLY < <(compgen -W "$(_sidecar_words "${word#*:}")" -- "$current")
        return
    done
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
        return
    fi
    for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do
        [[ $word == -* ]] || place=$((place + 1))
    done
    for kind in $kinds; do
        if ((place-- == 0)); then
            mapfile -t COMPREPLY < <(compgen -W "$(_sidecar_words "$kind")" -- "$current")
            return
        fi
    done
}
complete -F _sidecar sidecar
)bash";

constexpr std::string_view zsh_text = R"zsh(#compdef sidecar
_sidecar_names() {
    sidecar "$1" --json --timeout 1s 2>/dev/null </dev/null |
        sed -n 's/^ *"'"$2"'": "\([^"\\]*\)",\{0,1\}$/\1/p'
}
_sidecar_words() {
    case $1 in
        queue) _sidecar_names queues name ;;
        worker) _sidecar_names workers node ;;
        trash) _sidecar_names undo id ;;
        worker_action) print -l ping stats active reserved scheduled shutdown kick pool-grow pool-shrink \
            add-consumer cancel-consumer rate-limit ;;
        shell) print -l bash zsh ;;
    esac
}
_sidecar() {
    local options='' kinds='' values='' kind word
    local -a commands names
    integer place=0
    commands=(
@DESCRIBED@    )
    if ((CURRENT == 2)); then
        _describe command commands
        return
    fi
    case ${words[2]} in
@CASES@    esac
    for word in ${=values}; do
        [[ ${word%%:*} == "${words[CURRENT - 1]}" ]] || continue
        names=(${(f)"$(_sidecar_words ${word#*:})"})
        compadd -a names
        return
    done
    if [[ ${words[CURRENT]} == -* ]]; then
        compadd -- ${=options}
        return
    fi
    for word in ${words[3,CURRENT - 1]}; do
        [[ $word == -* ]] || ((place++))
    done
    for kind in ${=kinds}; do
        if ((place-- == 0)); then
            names=(${(f)"$(_sidecar_words $kind)"})
            compadd -a names
            return
        fi
    done
}
if [[ $funcstack[1] == _sidecar ]]; then
    _sidecar "$@"
else
    compdef _sidecar sidecar
fi
)zsh";

std::string_view name_of(word_kind kind) {
    switch (kind) {
        case word_kind::any:
            break;
        case word_kind::queue:
            return "queue";
        case word_kind::worker:
            return "worker";
        case word_kind::worker_action:
            return "worker_action";
        case word_kind::trash:
            return "trash";
        case word_kind::shell:
            return "shell";
    }
    return "any";
}

std::string options_text(const cli_command& command) {
    std::string text;
    for (const option_spec& option : command.options) text += std::string(option.name) + " ";
    for (const option_spec& option : common_options()) text += std::string(option.name) + " ";
    text.pop_back();
    return text;
}

std::string words_text(const cli_command& command) {
    std::string text;
    for (const word_spec& word : command.words) text += std::string(name_of(word.kind)) + " ";
    return text;
}

// Options whose value can be offered, and what it is; those with another value take no word's place either.
std::string values_text(const cli_command& command) {
    std::string text;
    const auto add = [&](const option_spec& option) {
        if (!option.value.empty() && !option.value.starts_with('['))
            text += std::string(option.name) + ":" + std::string(name_of(option.completes)) + " ";
    };
    for (const option_spec& option : command.options) add(option);
    for (const option_spec& option : common_options()) add(option);
    return text;
}

std::string cases_text() {
    std::string text;
    for (const cli_command& command : broker_commands())
        text += "        " + std::string(command.name) + ")\n            options='" + options_text(command) +
                "'\n            kinds='" + words_text(command) + "'\n            values='" +
                values_text(command) + "' ;;\n";
    return text;
}

std::string replaced(std::string text, std::string_view mark, const std::string& by) {
    const std::size_t place = text.find(mark);
    return text.replace(place, mark.size(), by);
}

std::string bash_script() {
    std::string names = "serve check";
    for (const cli_command& command : broker_commands()) names += " " + std::string(command.name);
    return replaced(replaced(std::string(bash_head), "@COMMANDS@", names), "@CASES@", cases_text()) +
           std::string(bash_tail);
}

std::string zsh_script() {
    std::string described = "        'serve:serve Redis clients'\n        'check:test every db end to end'\n";
    for (const cli_command& command : broker_commands()) {
        std::string summary;
        for (const char letter : command.summary)
            summary += letter == '\''  ? std::string("'\\''")
                       : letter == ':' ? std::string("\\:")
                                       : std::string(1, letter);
        described += "        '" + std::string(command.name) + ":" + summary + "'\n";
    }
    return replaced(replaced(std::string(zsh_text), "@DESCRIBED@", described), "@CASES@", cases_text());
}

}  // namespace

int run_completion(const invocation& call) {
    const std::string shell = call.word(0);
    if (shell != "bash" && shell != "zsh") bad_usage("completion is there for bash and zsh");
    print_text(shell == "bash" ? bash_script() : zsh_script());
    return exit_status::good;
}

}  // namespace sidecar
