// The command scanner against every cutting of the same bytes, and against a reader that is too simple to be
// wrong.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "resp/command_scanner.hpp"
#include "resp/limits.hpp"
#include "tests/fuzz/target.hpp"

namespace {

using namespace tests;

struct found {
    resp::scan_status status{};
    std::size_t bytes = 0;
    bool is_inline = false;
    std::vector<std::string> args;
    std::string error;
    bool operator==(const found&) const = default;
};
using findings = std::vector<found>;

bool lies_within(std::string_view part, std::string_view whole) {
    if (part.empty()) return true;
    return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// Every piece may copy all that came before it: so many at most, or a long input takes minutes.
constexpr std::size_t pieces_max = 4'096;

// Scans as a session does: what is unfinished is presented again, longer, from elsewhere in memory.
template <class Next>
findings scan_in_pieces(std::string_view input, resp::peer_trust trust, Next&& next_piece) {
    const std::size_t size_min = input.size() / pieces_max + 1;
    findings out;
    resp::command_scanner scanner;
    resp::scanned_command command;
    std::string kept;
    while (!input.empty()) {
        const std::size_t size = std::min(std::max<std::size_t>(next_piece(), size_min), input.size());
        kept.append(input.substr(0, size));
        input.remove_prefix(size);
        // Exactly as large as what is presented, so that a read beyond it is seen.
        const auto block = std::make_unique<char[]>(kept.size());
        std::copy(kept.begin(), kept.end(), block.get());
        std::string_view window(block.get(), kept.size());
        while (!window.empty()) {
            const auto status = scanner.scan(window, trust, command);
            if (status == resp::scan_status::need_more) break;
            found f;
            f.status = status;
            if (status == resp::scan_status::error) {
                f.error = scanner.error_text();
                out.push_back(f);
                return out;
            }
            require(command.bytes > 0 && command.bytes <= window.size(), "a frame lies in its bytes");
            f.bytes = command.bytes;
            if (status == resp::scan_status::command) {
                require(command.argument_count > 0, "a command has a name");
                require(command.args.size() == std::min(command.argument_count, resp::argument_views_max),
                        "all arguments are given out");
                f.is_inline = command.is_inline;
                const auto frame = window.substr(0, command.bytes);
                for (const auto arg : command.args) {
                    require(lies_within(arg, command.is_inline ? command.inline_text : frame),
                            "an argument lies in its frame");
                    f.args.emplace_back(arg);
                }
            }
            out.push_back(std::move(f));
            window.remove_prefix(command.bytes);
        }
        kept = std::string(window);
        const std::size_t limit =
            trust == resp::peer_trust::stranger ? resp::stranger_query_bytes_max : resp::query_bytes_max;
        require(kept.size() <= limit + size, "unfinished input is bounded");
    }
    return out;
}

std::optional<long long> read_number(std::string_view text) {
    long long number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || std::to_string(number) != text)
        return std::nullopt;
    return number;
}

// Everything is there: one pass, no memory of the past. An error's words are not its business.
found simple_read(std::string_view bytes, resp::peer_trust trust) {
    const bool stranger = trust == resp::peer_trust::stranger;
    const found failed{resp::scan_status::error, 0, false, {}, {}};
    const found unfinished{resp::scan_status::need_more, 0, false, {}, {}};
    if (bytes.front() != '*') {
        const auto newline = bytes.find('\n');
        if (newline == std::string_view::npos) return unfinished;
        found f{resp::scan_status::nothing, newline + 1, false, {}, {}};
        std::string word;
        for (const char c : bytes.substr(0, newline + 1)) {
            if (std::isspace(static_cast<unsigned char>(c)) == 0) {
                word += c;
            } else if (!word.empty()) {
                f.args.push_back(std::exchange(word, {}));
            }
        }
        f.is_inline = !f.args.empty();
        if (!f.args.empty()) f.status = resp::scan_status::command;
        return f;
    }
    std::size_t at = 0;
    // The number of the header at `at`, which moves behind it. 'more' and 'bad' as the caller sees fit.
    enum class header { fine, more, bad } state{};
    const auto header_number = [&]() -> long long {
        const auto cr = bytes.find('\r', at);
        if (cr == std::string_view::npos || cr + 1 >= bytes.size()) return state = header::more, 0;
        const auto number = read_number(bytes.substr(at + 1, cr - at - 1));
        if (!number) return state = header::bad, 0;
        at = cr + 2;
        return state = header::fine, *number;
    };
    const long long count = header_number();
    if (state != header::fine) return state == header::more ? unfinished : failed;
    if (count > resp::argument_count_max || (stranger && count > resp::stranger_argument_count_max))
        return failed;
    found f{count <= 0 ? resp::scan_status::nothing : resp::scan_status::command, 0, false, {}, {}};
    for (long long i = 0; i < count; ++i) {
        if (at >= bytes.size()) return unfinished;
        if (bytes[at] != '$') return failed;
        const long long length = header_number();
        if (state == header::more) return unfinished;
        if (state == header::bad || length < 0 || length > resp::bulk_bytes_max ||
            (stranger && length > resp::stranger_bulk_bytes_max))
            return failed;
        const auto size = static_cast<std::size_t>(length);
        if (bytes.size() - at < size + 2) return unfinished;
        f.args.emplace_back(bytes.substr(at, size));
        at += size + 2;
    }
    f.bytes = at;
    return f;
}

void compare_with_simple(std::string_view input, resp::peer_trust trust, const findings& scanned) {
    std::size_t next = 0;
    while (!input.empty()) {
        const auto newline = input.find('\n');
        const bool plain =
            input.front() == '*' ||
            input.substr(0, newline).find_first_of(std::string_view("\"'\0", 3)) == std::string_view::npos;
        const found expected = simple_read(input, trust);
        if (expected.status == resp::scan_status::need_more) break;
        require(next < scanned.size(), "the scanner finds what is there");
        const found& got = scanned[next++];
        if (!plain) {
            if (got.status == resp::scan_status::error) return;
            require(got.bytes == newline + 1, "an inline command ends with its line");
        } else {
            require(got.status == expected.status, "the scanner agrees with the simple reader");
            if (got.status == resp::scan_status::error) return;
            require(got.bytes == expected.bytes && got.args == expected.args &&
                        got.is_inline == expected.is_inline,
                    "the scanner finds the same command");
        }
        input.remove_prefix(got.bytes);
    }
    require(next == scanned.size(), "the scanner finds nothing that is not there");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    choices from(data, size);
    const auto flags = from.byte();
    const auto seed = from.byte();
    const auto trust = (flags & 1U) != 0 ? resp::peer_trust::stranger : resp::peer_trust::known;
    const bool inflated = (flags & 30U) == 2;
    const std::size_t bytes_max = (flags & 32U) != 0 ? 1'200'000 : 100'000;
    const std::string input = inflated ? inflate(from.rest(), bytes_max) : std::string(from.rest());
    if (input.size() > bytes_max) return 0;

    const auto whole = scan_in_pieces(input, trust, [&] { return input.size(); });
    cutter cuts(seed);
    const auto cut = scan_in_pieces(input, trust, [&] { return inflated ? 9'973 : cuts.next(); });
    if (!inflated) {
        require(cut == whole, "any cutting gives the same commands");
        require(scan_in_pieces(input, trust, [] { return 1; }) == whole, "so do the smallest pieces");
        compare_with_simple(input, trust, whole);
    } else {
        // A line beyond the limit is refused while it arrives, though its end would have made it another
        // error.
        for (std::size_t i = 0; i < std::min(whole.size(), cut.size()); ++i) {
            if (whole[i].status == resp::scan_status::error || cut[i].status == resp::scan_status::error)
                break;
            require(whole[i] == cut[i], "any cutting gives the same commands before the first error");
        }
    }
    return 0;
}
