#include "resp/reply_scanner.hpp"

#include "tests/support/fragments.hpp"

using namespace resp;

namespace {

struct found_reply {
    char type;
    std::string bytes;
    bool operator==(const found_reply&) const = default;
};

std::ostream& operator<<(std::ostream& out, const found_reply& r) {
    return out << r.type << ' ' << r.bytes;
}

struct outcome {
    std::vector<found_reply> replies;
    bool error = false;
    bool inside = false;
};

outcome scan(const tests::pieces& input) {
    outcome o;
    reply_scanner scanner;
    std::string current;
    for (auto piece : input) {
        while (!piece.empty()) {
            const auto step = scanner.scan(piece);
            if (step.status == reply_status::error) {
                o.error = true;
                return o;
            }
            REQUIRE(step.bytes <= piece.size());
            current.append(piece.substr(0, step.bytes));
            piece.remove_prefix(step.bytes);
            if (step.status == reply_status::need_more) {
                CHECK(piece.empty());  // what is incomplete is taken whole
                CHECK(scanner.inside_reply());
                continue;
            }
            CHECK_FALSE(scanner.inside_reply());
            o.replies.push_back({scanner.type(), std::move(current)});
            current.clear();
        }
    }
    o.inside = scanner.inside_reply();
    return o;
}

void expect(const std::vector<found_reply>& wanted) {
    std::string input;
    for (const auto& r : wanted) input += r.bytes;
    INFO(input);
    tests::each_fragmentation(input, [&](const tests::pieces& pieces) {
        const auto o = scan(pieces);
        CHECK_FALSE(o.error);
        CHECK_FALSE(o.inside);
        CHECK(o.replies == wanted);
    });
}

}  // namespace

TEST_CASE("the end of every kind of reply is found however it is cut") {
    expect({{'+', "+OK\r\n"},
            {'-', "-ERR a b\r\n"},
            {':', ":-12\r\n"},
            {'$', "$5\r\nhe\r\no\r\n"},
            {'$', "$0\r\n\r\n"},
            {'$', "$-1\r\n"},
            {'*', "*-1\r\n"},
            {'*', "*0\r\n"},
            {'+', "+\r\n"},
            {'+', "+a\nb\rc\r\n"},  // only CR LF ends a line of text
            {'-', "-\n\r\r\n"}});
    expect({{'_', "_\r\n"},
            {'#', "#t\r\n"},
            {',', ",-1.5e10\r\n"},
            {',', ",inf\r\n"},
            {'(', "(-123456789012345678901234567890\r\n"},
            {'=', "=8\r\ntxt:a\r\nb\r\n"},
            {'!', "!5\r\nERR x\r\n"},
            {'~', "~2\r\n+a\r\n:1\r\n"},
            {'%', "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n"},
            {'%', "%0\r\n"}});
}

TEST_CASE("nesting of any depth") {
    expect({{'*', "*2\r\n*2\r\n$1\r\na\r\n*0\r\n*1\r\n$-1\r\n"}, {'+', "+next\r\n"}});
    std::string deep;
    for (int i = 0; i < 500; ++i) deep += "*1\r\n";
    expect({{'*', deep + ":1\r\n"}, {':', ":2\r\n"}});
    expect({{'*', "*3\r\n%1\r\n+k\r\n~1\r\n,1\r\n*-1\r\n>1\r\n+x\r\n"}, {':', ":2\r\n"}});
}

TEST_CASE("pushes are told apart") {
    expect({{'>', ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"}, {'+', "+OK\r\n"}, {'>', ">1\r\n+x\r\n"}});
    reply_scanner scanner;
    REQUIRE(scanner.scan(">1\r\n").status == reply_status::need_more);
    CHECK(scanner.is_push());
    REQUIRE(scanner.scan("+x\r\n").status == reply_status::complete);
    CHECK(scanner.is_push());
    REQUIRE(scanner.scan("+x\r\n").status == reply_status::complete);
    CHECK_FALSE(scanner.is_push());
}

TEST_CASE("attributes belong to the reply they precede, whose type counts") {
    expect({{'+', "|1\r\n+ttl\r\n:3\r\n+OK\r\n"}, {':', ":1\r\n"}});
    expect({{'*', "|2\r\n+a\r\n*2\r\n:1\r\n:2\r\n+b\r\n%1\r\n+k\r\n+v\r\n*1\r\n:1\r\n"}, {'+', "+x\r\n"}});
    expect({{'*', "*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n"}, {'+', "+x\r\n"}});
    expect({{'$', "|0\r\n$1\r\na\r\n"}});
}

TEST_CASE("a large bulk streams in pieces and its rest is known") {
    reply_scanner scanner;
    constexpr std::size_t size = 10'000'000;
    const std::string head = "$" + std::to_string(size) + "\r\n";
    REQUIRE(scanner.scan(head).status == reply_status::need_more);
    CHECK(scanner.bulk_bytes_missing() == size + 2);
    const std::string piece(100'000, 'x');
    for (std::size_t sent = 0; sent < size; sent += piece.size()) {
        const auto step = scanner.scan(piece);
        REQUIRE(step.status == reply_status::need_more);
        REQUIRE(step.bytes == piece.size());
    }
    CHECK(scanner.bulk_bytes_missing() == 2);
    const auto last = scanner.scan("\r\n+next\r\n");
    CHECK(last.status == reply_status::complete);
    CHECK(last.bytes == 2);
}

TEST_CASE("bytes that are no reply") {
    for (const std::string bad : {"\r\n",
                                  "PING\r\n",
                                  "?\r\n",
                                  "$\r\n",
                                  "*\r\n",
                                  "$a\r\n",
                                  "$1a\r\n",
                                  "$-2\r\n",
                                  "*-2\r\n",
                                  "%-1\r\n",
                                  ">-1\r\n",
                                  "~-1\r\n",
                                  "$--1\r\n",
                                  "$1-\r\n",
                                  "$1\rx",
                                  "$1\n",
                                  "$1\r\r\n",
                                  "*99999999999999999999\r\n",
                                  "$999999999999999999\r\n",
                                  "*999999999999\r\n",
                                  "*2\r\n+a\r\nx\r\n"}) {
        INFO(bad);
        tests::each_fragmentation(bad, [&](const tests::pieces& pieces) { CHECK(scan(pieces).error); });
    }
}

TEST_CASE("an unfinished reply is never called complete") {
    const std::string whole = "*3\r\n$3\r\nabc\r\n%1\r\n+k\r\n:1\r\n_\r\n";
    for (std::size_t length = 1; length < whole.size(); ++length) {
        const auto o = scan({std::string_view(whole).substr(0, length)});
        CHECK(o.replies.empty());
        CHECK(o.inside);
    }
}

TEST_CASE("a whole short reply is measured without the state machine") {
    CHECK(short_reply_bytes("+OK\r\n:1\r\n") == 5);
    CHECK(short_reply_bytes("-ERR no\r\n") == 9);
    CHECK(short_reply_bytes(":1000\r\n+") == 7);
    CHECK(short_reply_bytes("_\r\n") == 3);
    CHECK(short_reply_bytes("$3\r\nabc\r\n$") == 9);
    CHECK(short_reply_bytes("$0\r\n\r\n") == 6);
    CHECK(short_reply_bytes("$12\r\n$3\r\nabc\r\n+OK\r\n") == 19);
    CHECK(short_reply_bytes("$-1\r\n") == 5);
    CHECK(short_reply_bytes("*0\r\n+OK\r\n") == 4);
    CHECK(short_reply_bytes("*3\r\n:1\r\n$1\r\na\r\n$-1\r\n:2\r\n") == 20);
    for (const std::string_view other : {"*2\r\n:1\r\n",
                                         "*2\r\n:1\r\n:",
                                         "*1\r\n*0\r\n",
                                         "*17\r\n",
                                         "*2",
                                         "+OK\r",
                                         "$3\r\nabc\r",
                                         "$3\r\nabc",
                                         "$3\r",
                                         "$3",
                                         "$",
                                         "$-2\r\n",
                                         "$\r\n\r\n",
                                         "$x\r\n",
                                         "*-1\r\n",
                                         "%0\r\n",
                                         ">1\r\n+x\r\n",
                                         "=1\r\nx\r\n",
                                         "$1234567890\r\n",
                                         "$3\rXabc\r\n",
                                         "?",
                                         "+a\nb\r\n"}) {
        INFO(other);
        CHECK(short_reply_bytes(other) == 0);
    }
}

TEST_CASE("a small flat push is measured at a glance") {
    CHECK(short_push_bytes(">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n>") == 32);
    CHECK(short_push_bytes(">1\r\n+x\r\n") == 8);
    for (const std::string_view other :
         {"*1\r\n+x\r\n", ">1\r\n*0\r\n", ">2\r\n+x\r\n", ">1\r\n$3\r\nab", ">", "+x\r\n"}) {
        INFO(other);
        CHECK(short_push_bytes(other) == 0);
    }
    reply_scanner scanner;
    const auto step = scanner.scan(">1\r\n+x\r\n+OK\r\n");
    CHECK(step.status == reply_status::complete);
    CHECK(step.bytes == 8);
    CHECK(scanner.is_push());
}
