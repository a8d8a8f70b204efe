#include "resp/command_scanner.hpp"

#include <algorithm>
#include <optional>

#include "resp/limits.hpp"
#include "resp/writer.hpp"
#include "tests/support/fragments.hpp"

using namespace resp;

namespace {

struct outcome {
    std::vector<std::vector<std::string>> commands;
    std::optional<std::string> error;
    std::size_t left = 0;  // bytes of an unfinished command
    bool operator==(const outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const outcome& o) {
    for (const auto& args : o.commands) {
        for (const auto& arg : args) out << '[' << arg.substr(0, 40) << ']';
        out << '\n';
    }
    return out << (o.error ? "error " + *o.error : "no error") << ", left " << o.left;
}

// As a session does it: bytes are kept from the start of the first unfinished command.
outcome scan(const tests::pieces& input, peer_trust trust = peer_trust::known) {
    outcome o;
    command_scanner scanner;
    std::string kept;
    for (const auto piece : input) {
        kept.append(piece);
        std::size_t at = 0;
        while (!o.error) {
            scanned_command found;
            const std::string moved = kept.substr(at);  // the bytes may lie elsewhere in each call
            const auto status = scanner.scan(moved, trust, found);
            if (status == scan_status::need_more) break;
            if (status == scan_status::error) {
                o.error = scanner.error_text();
                break;
            }
            if (status == scan_status::command) {
                CHECK(found.argument_count == found.args.size());
                o.commands.emplace_back(found.args.begin(), found.args.end());
            }
            at += found.bytes;
        }
        kept.erase(0, at);
    }
    if (!o.error) o.left = kept.size();
    return o;
}

void expect(std::string_view input, const outcome& wanted, peer_trust trust = peer_trust::known) {
    INFO(input.substr(0, 200));
    tests::each_fragmentation(input,
                              [&](const tests::pieces& pieces) { CHECK(scan(pieces, trust) == wanted); });
}

void expect_commands(std::string_view input, const std::vector<std::vector<std::string>>& commands) {
    expect(input, {commands, std::nullopt, 0});
}

void expect_error(std::string_view input, const std::string& words, peer_trust trust = peer_trust::known) {
    expect(input, {{}, "ERR Protocol error: " + words, 0}, trust);
}

}  // namespace

TEST_CASE("a command is found however it is cut") {
    expect_commands("*1\r\n$4\r\nPING\r\n", {{"PING"}});
}

TEST_CASE("binary arguments, empty ones and line breaks inside them") {
    const std::string binary("\r\n$1\r\n\0\xff*", 9);
    expect_commands(command({"SET", "", binary}), {{"SET", "", binary}});
    expect_commands(command({"", "a"}), {{"", "a"}});
}

TEST_CASE("pipelined commands come out one by one") {
    std::string input;
    std::vector<std::vector<std::string>> wanted;
    for (int i = 0; i < 40; ++i) {
        const std::string value(static_cast<std::size_t>(i * 7 % 60), 'x');
        input += command({"SET", std::to_string(i), value});
        wanted.push_back({"SET", std::to_string(i), value});
    }
    expect_commands(input, wanted);
}

TEST_CASE("an unfinished command is left alone") {
    const std::string whole = command({"GET", "key"});
    for (std::size_t length = 0; length < whole.size(); ++length)
        CHECK(scan({std::string_view(whole).substr(0, length)}) == outcome{{}, std::nullopt, length});
}

TEST_CASE("*0 and *-1 are nothing, other lengths below are errors of no command") {
    expect_commands("*0\r\n*1\r\n$4\r\nPING\r\n", {{"PING"}});
    expect_commands("*-1\r\n*1\r\n$4\r\nPING\r\n", {{"PING"}});
    expect_commands("*-10\r\n*1\r\n$4\r\nPING\r\n", {{"PING"}});
}

TEST_CASE("Redis's oddities: the byte after CR and the two after a bulk are not looked at") {
    expect_commands("*1\rX$4\rYPINGab", {{"PING"}});
    expect_commands("*2\r\n$3\r\nGETxx$1\rzkyy*1\r\n$4\r\nPING\r\n", {{"GET", "k"}, {"PING"}});
}

TEST_CASE("bad lengths of a multibulk") {
    for (const std::string bad : {"", "a", "1a", "01", "+1", "-0", " 1", "1 ", "2147483648",
                                  "9223372036854775808", "99999999999999999999999", "-", "--1", "0x1"})
        expect_error("*" + bad + "\r\n", "invalid multibulk length");
}

TEST_CASE("bad lengths of a bulk") {
    for (const std::string bad : {"", "-1", "a", "1a", "01", "+1", "536870913", "9223372036854775808"})
        expect_error("*1\r\n$" + bad + "\r\n", "invalid bulk length");
}

TEST_CASE("the largest bulk is accepted and its room asked for in one go") {
    command_scanner scanner;
    scanned_command found;
    const std::string head = "*1\r\n$" + std::to_string(bulk_bytes_max) + "\r\n";
    CHECK(scanner.scan(head, peer_trust::known, found) == scan_status::need_more);
    CHECK(scanner.bytes_wanted() == static_cast<std::size_t>(bulk_bytes_max) + 2);
}

TEST_CASE("something else in place of a bulk") {
    expect_error("*1\r\nPING\r\n", "expected '$', got 'P'");
    expect_error("*1\r\n*1\r\n", "expected '$', got '*'");
    expect_error("*1\r\n\r\n\r\n", "expected '$', got ' '");
    expect("*2\r\n$3\r\nGET\r\n:1\r\n", {{}, "ERR Protocol error: expected '$', got ':'", 0});
}

TEST_CASE("an error does not hide the commands before it") {
    expect("*1\r\n$4\r\nPING\r\n*x\r\n", {{{"PING"}}, "ERR Protocol error: invalid multibulk length", 0});
}

TEST_CASE("endless header lines end") {
    const std::string digits(header_bytes_max + 1, '1');
    expect_error("*" + digits, "too big mbulk count string");
    expect_error("*1\r\n$" + digits, "too big bulk count string");
    expect_error(std::string(header_bytes_max + 1, 'a'), "too big inline request");
}

TEST_CASE("a whole inline line may be longer than the bound of an unfinished one") {
    const std::string argument(header_bytes_max + 10, 'a');
    CHECK(scan({"ECHO " + argument + "\r\n"}).commands ==
          std::vector<std::vector<std::string>>{{"ECHO", argument}});
}

TEST_CASE("limits before authentication") {
    const auto stranger = peer_trust::stranger;
    expect_error("*11\r\n", "unauthenticated multibulk length", stranger);
    expect_error("*1\r\n$16385\r\n", "unauthenticated bulk length", stranger);
    const std::string most(static_cast<std::size_t>(stranger_bulk_bytes_max), 'p');
    CHECK(scan({command({"AUTH", most})}, stranger).commands.size() == 1);
    CHECK(scan({command({"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"})}, stranger).commands.size() ==
          1);
    CHECK(scan({"*11\r\n"}).left == 5);
    CHECK(scan({"*1\r\n$16385\r\n"}).left == 12);
}

TEST_CASE("a query without end closes without words") {
    command_scanner scanner;
    scanned_command found;
    std::string bytes = "*10\r\n";
    bytes += std::string("$1\r\na\r\n");
    bytes += "$16384\r\n";
    CHECK(scanner.scan(bytes, peer_trust::stranger, found) == scan_status::need_more);
    CHECK(describe(frame_error::query_too_big).empty());
}

TEST_CASE("inline commands") {
    expect_commands("PING\r\n", {{"PING"}});
    expect_commands("PING\n", {{"PING"}});
    expect_commands("\r\n\n  \r\nSET k  \"a b\"\r\n*1\r\n$4\r\nPING\r\nGET k\n",
                    {{"SET", "k", "a b"}, {"PING"}, {"GET", "k"}});
    expect_error("SET k \"open\r\n", "unbalanced quotes in request");
}

TEST_CASE("what an inline command left behind does not leak into the next") {
    command_scanner scanner;
    scanned_command found;
    REQUIRE(scanner.scan("GET k\r\n", peer_trust::known, found) == scan_status::command);
    CHECK(found.is_inline);
    const std::string next = command({"PING"});
    REQUIRE(scanner.scan(next, peer_trust::known, found) == scan_status::command);
    CHECK_FALSE(found.is_inline);
    CHECK(found.args.size() == 1);
    CHECK(found.argument_count == 1);
}

TEST_CASE("a scanner given the same result again and again keeps nothing of the earlier command") {
    command_scanner scanner;
    scanned_command found;
    const std::string first = command({"MSET", "a", "1", "b", "2"});
    REQUIRE(scanner.scan(first, peer_trust::known, found) == scan_status::command);
    const std::string second = command({"GET", "a"});
    for (std::size_t length = 1; length < second.size(); ++length)
        REQUIRE(scanner.scan(std::string_view(second).substr(0, length), peer_trust::known, found) ==
                scan_status::need_more);
    REQUIRE(scanner.scan(second, peer_trust::known, found) == scan_status::command);
    CHECK(found.args == std::vector<std::string_view>{"GET", "a"});
}

TEST_CASE("a long command in small pieces costs linear time") {
    constexpr std::size_t count = 20'000;
    std::string bytes = "*" + std::to_string(count) + "\r\n";
    for (std::size_t i = 0; i < count; ++i) bytes += "$3\r\nabc\r\n";
    command_scanner scanner;
    scanned_command found;
    std::size_t calls = 0;
    for (std::size_t end = 64; end < bytes.size(); end += 64, ++calls)
        REQUIRE(scanner.scan(std::string_view(bytes).substr(0, end), peer_trust::known, found) ==
                scan_status::need_more);
    REQUIRE(scanner.scan(bytes, peer_trust::known, found) == scan_status::command);
    CHECK(found.args.size() == count);
    CHECK(std::all_of(found.args.begin(), found.args.end(), [](auto a) { return a == "abc"; }));
    CHECK(calls > 1000);
}

TEST_CASE("scanners may share one result: what another left in it does not leak into a command") {
    const std::string wire = command({"SET", "key", "value"});
    for (std::size_t cut_at = 1; cut_at < wire.size(); ++cut_at) {
        INFO("cut at " << cut_at);
        command_scanner one;
        command_scanner other;
        scanned_command shared;
        CHECK(one.scan(wire.substr(0, cut_at), peer_trust::known, shared) == scan_status::need_more);
        const std::string foreign = command({"GET", "a", "b", "c", "d"});
        REQUIRE(other.scan(foreign, peer_trust::known, shared) == scan_status::command);
        REQUIRE(one.scan(wire, peer_trust::known, shared) == scan_status::command);
        REQUIRE(shared.args.size() == 3);
        CHECK(shared.args[0] == "SET");
        CHECK(shared.args[2] == "value");
    }
}
