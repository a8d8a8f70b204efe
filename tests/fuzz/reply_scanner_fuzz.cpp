// The reply scanner against every cutting of the same bytes, against a recursive reader, and against the
// reader that builds values.
#include <algorithm>
#include <memory>

#include "resp/reply_scanner.hpp"
#include "resp/value.hpp"
#include "tests/fuzz/target.hpp"

namespace {

using namespace tests;

struct found {
    resp::reply_status status{};
    std::size_t end = 0;
    char type = 0;
    bool operator==(const found&) const = default;
};
using findings = std::vector<found>;

template <class Next>
findings scan_in_pieces(std::string_view input, Next&& next_piece) {
    findings out;
    resp::reply_scanner scanner;
    std::size_t at = 0;
    while (at < input.size()) {
        const std::size_t size = std::min<std::size_t>(next_piece(), input.size() - at);
        const auto block = std::make_unique<char[]>(size);
        std::copy_n(input.begin() + static_cast<std::ptrdiff_t>(at), size, block.get());
        std::string_view piece(block.get(), size);
        while (!piece.empty()) {
            const auto step = scanner.scan(piece);
            require(step.bytes > 0 && step.bytes <= piece.size(), "each step uses some of the bytes");
            piece.remove_prefix(step.bytes);
            at += step.bytes;
            if (step.status == resp::reply_status::need_more) {
                require(piece.empty(), "more is asked for only when all is used");
                require(scanner.inside_reply(), "more is asked for only inside a reply");
                continue;
            }
            out.push_back({step.status, at, scanner.type()});
            if (step.status == resp::reply_status::error) return out;
            require(!scanner.inside_reply(), "a complete reply is over");
            require(scanner.is_push() == (scanner.type() == '>'), "a push is what begins with >");
        }
    }
    return out;
}

// One reply at a time, by recursion, with everything there.
class simple_reader {
public:
    explicit simple_reader(std::string_view bytes) : bytes_(bytes) {}
    enum class outcome { complete, more, bad, too_large };

    outcome reply() {
        if (at_ >= bytes_.size()) return outcome::more;
        const char kind = bytes_[at_++];
        if (std::string_view("+-:_,#(").find(kind) != std::string_view::npos) {
            const auto end = bytes_.find("\r\n", at_);
            if (end == std::string_view::npos) return outcome::more;
            at_ = end + 2;
            type_ = kind;
            return outcome::complete;
        }
        if (std::string_view("$*%~>|=!").find(kind) == std::string_view::npos) return outcome::bad;
        long long number = 0;
        if (const auto o = length(number); o != outcome::complete) return o;
        if (number < 0) return number == -1 && (kind == '$' || kind == '*') ? done(kind) : outcome::bad;
        if (number > 100'000) return outcome::too_large;
        if (kind == '$' || kind == '=' || kind == '!') {
            const auto size = static_cast<std::size_t>(number) + 2;
            if (bytes_.size() - at_ < size) return outcome::more;
            at_ += size;
            return done(kind);
        }
        const long long elements = kind == '%' || kind == '|' ? number * 2 : number;
        for (long long i = 0; i < elements; ++i)
            if (const auto o = reply(); o != outcome::complete) return o;
        return kind == '|' ? reply() : done(kind);
    }
    [[nodiscard]] std::size_t at() const { return at_; }
    [[nodiscard]] char type() const { return type_; }

private:
    outcome done(char kind) {
        type_ = kind;
        return outcome::complete;
    }

    outcome length(long long& number) {
        std::size_t digits = 0;
        const bool negative = at_ < bytes_.size() && bytes_[at_] == '-';
        if (negative) ++at_;
        for (; at_ < bytes_.size() && bytes_[at_] >= '0' && bytes_[at_] <= '9'; ++at_, ++digits) {
            if (digits == 18) return outcome::bad;
            number = number * 10 + (bytes_[at_] - '0');
        }
        if (at_ == bytes_.size()) return outcome::more;
        if (digits == 0 || bytes_[at_++] != '\r') return outcome::bad;
        if (at_ == bytes_.size()) return outcome::more;
        if (bytes_[at_++] != '\n') return outcome::bad;
        // The scanner has no other negative length, and minus nothing is none at all.
        if (negative) number = number == 0 ? -2 : -number;
        return outcome::complete;
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
    char type_ = 0;
};

void compare_with_simple(std::string_view input, const findings& scanned) {
    std::size_t begin = 0;
    for (const auto& f : scanned) {
        simple_reader reader(input.substr(begin));
        const auto outcome = reader.reply();
        if (outcome == simple_reader::outcome::too_large) return;
        if (f.status == resp::reply_status::error) {
            require(outcome == simple_reader::outcome::bad, "what the scanner refuses is wrong");
            return;
        }
        require(outcome == simple_reader::outcome::complete, "what the scanner accepts is whole");
        require(begin + reader.at() == f.end && reader.type() == f.type, "both see the same reply");
        begin = f.end;
    }
    simple_reader reader(input.substr(begin));
    const auto outcome = reader.reply();
    require(outcome == simple_reader::outcome::more || outcome == simple_reader::outcome::too_large,
            "the scanner stops only before an unfinished reply");
}

void compare_with_values(std::string_view input, const findings& scanned) {
    std::size_t begin = 0;
    for (const auto& f : scanned) {
        std::size_t used = 0;
        const auto value = resp::parse_value(input.substr(begin), used);
        if (f.status == resp::reply_status::complete && value)
            require(begin + used == f.end, "a value is as long as its reply");
        begin = f.end;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    choices from(data, size);
    const auto seed = from.byte();
    const std::string_view input = from.rest();
    const auto whole = scan_in_pieces(input, [&] { return input.size(); });
    cutter cuts(seed);
    require(scan_in_pieces(input, [&] { return cuts.next(); }) == whole,
            "any cutting gives the same replies");
    require(scan_in_pieces(input, [] { return 1; }) == whole, "so does byte by byte");
    compare_with_simple(input, whole);
    compare_with_values(input, whole);
    return 0;
}
