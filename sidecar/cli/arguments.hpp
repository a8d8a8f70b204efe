#pragma once
// Commands as tables: what they take is described once, and parsing, help and completion follow from it.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sidecar {

// What may stand in a place, so that the shell can offer it.
enum class word_kind : std::uint8_t { any, queue, worker, worker_action, trash, shell };

struct option_spec {
    std::string_view name;   // "--limit"
    std::string_view value;  // "N"; empty = a flag; "[N]" = may be left away, or given as --limit=N
    std::string_view help;
    char letter = '\0';  // "-y"
    word_kind completes = word_kind::any;
};

struct word_spec {
    std::string_view name;  // "QUEUE"
    word_kind kind = word_kind::any;
};

class invocation;

struct cli_command {
    std::string_view name;
    std::string_view summary;
    std::vector<word_spec> words;  // the last stands for all that follow
    std::size_t words_min = 0;
    std::size_t words_max = 0;
    std::string_view usage;    // of the words: "QUEUE [TAG]"
    std::string_view details;  // paragraphs for --help
    std::vector<option_spec> options;
    int (*run)(const invocation&) = nullptr;
};

class invocation {
public:
    [[nodiscard]] const std::vector<std::string>& words() const { return words_; }
    // Empty when fewer were given.
    [[nodiscard]] std::string word(std::size_t place) const;
    [[nodiscard]] bool has(std::string_view option) const { return options_.contains(option); }
    // The last one given; nullopt when none was.
    [[nodiscard]] std::optional<std::string> value(std::string_view option) const;
    [[nodiscard]] std::vector<std::string> values(std::string_view option) const;
    // The text is what is wrong with `args`.
    [[nodiscard]] static std::variant<invocation, std::string> parse(const cli_command& command,
                                                                     std::span<const option_spec> common,
                                                                     std::span<const std::string> args);

private:
    std::vector<std::string> words_;
    std::map<std::string, std::vector<std::string>, std::less<>> options_;
};

[[nodiscard]] std::string help_of(const cli_command& command, std::span<const option_spec> common);

}  // namespace sidecar
