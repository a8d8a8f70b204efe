#include "sidecar/cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "sidecar/net/log_text.hpp"

namespace sidecar {
namespace {

// Takes one character off `text`; what is no UTF-8 counts byte by byte.
char32_t next_character(std::string_view& text) {
    const auto byte = [&](std::size_t place) { return static_cast<unsigned char>(text[place]); };
    const unsigned char head = byte(0);
    const std::size_t length = head < 0x80 ? 1 : head < 0xC0 ? 0 : head < 0xE0 ? 2 : head < 0xF0 ? 3 : 4;
    char32_t value = length < 2 ? head : head & (0xFFU >> (length + 1));
    bool whole = length > 0 && length <= text.size();
    for (std::size_t place = 1; whole && place < length; ++place) {
        whole = (byte(place) & 0xC0U) == 0x80;
        value = (value << 6) | (byte(place) & 0x3FU);
    }
    text.remove_prefix(whole ? length : 1);
    return whole ? value : U'\uFFFD';
}

using range = std::pair<char32_t, char32_t>;
constexpr std::array<range, 6> without_width{{{0x0300, 0x036F},
                                              {0x200B, 0x200F},
                                              {0x20D0, 0x20FF},
                                              {0x2060, 0x2064},
                                              {0xFE00, 0xFE0F},
                                              {0xFEFF, 0xFEFF}}};
constexpr std::array<range, 9> of_two_columns{{{0x1100, 0x115F},
                                               {0x2E80, 0x303E},
                                               {0x3041, 0xA4CF},
                                               {0xAC00, 0xD7A3},
                                               {0xF900, 0xFAFF},
                                               {0xFE30, 0xFE6F},
                                               {0xFF00, 0xFF60},
                                               {0x1F300, 0x1FAFF},
                                               {0x20000, 0x3FFFD}}};

template <std::size_t Size>
bool within(const std::array<range, Size>& ranges, char32_t character) {
    for (const auto& [first, last] : ranges)
        if (character >= first && character <= last) return true;
    return false;
}

std::size_t width_of(char32_t character) {
    if (within(without_width, character)) return 0;
    return within(of_two_columns, character) ? 2 : 1;
}

std::string_view code_of(text_style style) {
    switch (style) {
        case text_style::plain:
            break;
        case text_style::bold:
            return "\x1b[1m";
        case text_style::dim:
            return "\x1b[2m";
        case text_style::good:
            return "\x1b[32m";
        case text_style::warning:
            return "\x1b[33m";
        case text_style::bad:
            return "\x1b[31m";
        case text_style::reverse:
            return "\x1b[7m";
    }
    return "";
}

}  // namespace

bool stdout_is_terminal() {
    return isatty(STDOUT_FILENO) == 1;
}

screen_size stdout_size() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
    return {size.ws_col, size.ws_row};
}

bool stdout_has_colors() {
    const char* none = std::getenv("NO_COLOR");
    const char* kind = std::getenv("TERM");
    if (none != nullptr && *none != '\0') return false;
    return stdout_is_terminal() && (kind == nullptr || std::string_view(kind) != "dumb");
}

std::string styled(std::string_view text, text_style style) {
    if (style == text_style::plain || !stdout_has_colors()) return std::string(text);
    return std::string(code_of(style)) + std::string(text) + "\x1b[0m";
}

std::string shown(std::string_view text) {
    std::string line;
    append_escaped(line, text);
    return line;
}

std::size_t display_width(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) columns += width_of(next_character(text));
    return columns;
}

std::string cut_to_width(std::string_view text, std::size_t columns) {
    if (display_width(text) <= columns) return std::string(text);
    if (columns == 0) return {};
    std::string_view rest = text;
    std::size_t used = 0;
    while (!rest.empty()) {
        std::string_view after = rest;
        const std::size_t width = width_of(next_character(after));
        if (used + width > columns - 1) break;
        used += width;
        rest = after;
    }
    return std::string(text.substr(0, text.size() - rest.size())) + "…";
}

consent ask_for_consent(const std::string& question) {
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) return consent::cannot_ask;
    std::fprintf(stderr, "%s [y/N] ", question.c_str());
    std::fflush(stderr);
    std::string answer;
    for (int letter = std::getchar(); letter != EOF && letter != '\n' && answer.size() < 8;
         letter = std::getchar())
        answer += static_cast<char>(letter);
    return answer == "y" || answer == "Y" || answer == "yes" ? consent::given : consent::refused;
}

}  // namespace sidecar
