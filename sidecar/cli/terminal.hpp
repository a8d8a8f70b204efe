#pragma once
// What the other end of stdout is, and text that may be shown there. Names and arguments in a queue were
// written by anyone: control characters among them are shown, never sent.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sidecar {

struct screen_size {
    std::size_t columns = 80;
    std::size_t rows = 24;
};

enum class text_style : std::uint8_t { plain, bold, dim, good, warning, bad, reverse };

[[nodiscard]] bool stdout_is_terminal();
[[nodiscard]] screen_size stdout_size();
// A terminal, without NO_COLOR and not a dumb one.
[[nodiscard]] bool stdout_has_colors();

// With the escape sequences of a style where stdout has colors.
[[nodiscard]] std::string styled(std::string_view text, text_style style);

// One line: control characters as \n, \xNN; bytes that are not UTF-8 too.
[[nodiscard]] std::string shown(std::string_view text);

// Columns on a terminal: wide East Asian characters and emoji take two, combining ones none.
[[nodiscard]] std::size_t display_width(std::string_view text);
// At most so many columns, the last of them "…" where something was cut.
[[nodiscard]] std::string cut_to_width(std::string_view text, std::size_t columns);

enum class consent : std::uint8_t { given, refused, cannot_ask };
// Asks on the terminal; only "y" and "yes" agree. cannot_ask: stdin or stderr is none.
[[nodiscard]] consent ask_for_consent(const std::string& question);

}  // namespace sidecar
