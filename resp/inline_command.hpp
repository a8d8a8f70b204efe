#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace resp {

// Splits an inline command line as Redis does: blanks separate, "double quotes" understand \n \r \t \b \a
// \xHH and
// \", 'single quotes' understand \', and a closing quote must be followed by a blank or the end. The
// arguments' bytes go to `text`, back to back; `args` are views into it. False when quotes do not balance.
[[nodiscard]] bool split_inline(std::string_view line, std::string& text,
                                std::vector<std::string_view>& args);

}  // namespace resp
