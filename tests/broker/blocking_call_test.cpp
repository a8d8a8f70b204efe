#include "broker/blocking_call.hpp"

#include <sstream>

#include "resp/writer.hpp"

// Expected replies are those of redis-server 7.0.15.

using namespace broker;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> words(const std::string& line) {
    std::istringstream in(line);
    std::vector<std::string> out;
    for (std::string word; in >> word;) out.push_back(word);
    return out;
}

std::string frame(const std::string& line) {
    const auto args = words(line);
    const std::vector<std::string_view> views(args.begin(), args.end());
    std::string out;
    resp::append_command(out, views);
    return out;
}

blocking_parse parse(const std::string& line, blocking_call& call) {
    const auto args = words(line);
    const std::vector<std::string_view> views(args.begin(), args.end());
    return parse_blocking(views, call);
}

blocking_parse verdict(const std::string& line) {
    blocking_call call;
    return parse(line, call);
}

blocking_call call_of(const std::string& line) {
    INFO(line);
    blocking_call call;
    REQUIRE(parse(line, call) == blocking_parse::blocking);
    return call;
}

blocking_parse with_timeout_text(std::string_view text) {
    blocking_call call;
    const std::string_view args[] = {"BLPOP", "q", text};
    return parse_blocking(args, call);
}

using keys = std::vector<std::string>;

}  // namespace

TEST_CASE("blocking commands are recognised whatever their case", "[blocking_call]") {
    CHECK(call_of("BLPOP a b 1").kind == blocking_kind::blpop);
    CHECK(call_of("bRpOp a 1").kind == blocking_kind::brpop);
    CHECK(call_of("blmove a b left RIGHT 1").kind == blocking_kind::blmove);
    CHECK(call_of("brpoplpush a b 1").kind == blocking_kind::brpoplpush);
    CHECK(call_of("blmpop 1 2 a b left Count 3").kind == blocking_kind::blmpop);
    CHECK(call_of("bzmpop 1 1 a Min").kind == blocking_kind::bzmpop);
    CHECK(call_of("bzpopmin a 1").kind == blocking_kind::bzpopmin);
    CHECK(call_of("BZPopMax a 1").kind == blocking_kind::bzpopmax);
    CHECK(call_of("xread block 5 streams s 0").kind == blocking_kind::xread);
    CHECK(call_of("xreadgroup group g c block 5 streams s >").kind == blocking_kind::xreadgroup);
}

TEST_CASE("other commands do not block", "[blocking_call]") {
    for (const char* line : {"GET a", "LPOP a", "BLPOPX a 1", "XREAD STREAMS s 0",
                             "XREAD COUNT 2 STREAMS block 0", "XREADGROUP GROUP block c STREAMS s >",
                             "XREADGROUP GROUP g block STREAMS s >", "XREAD BLOCK", "XADD s * f v"}) {
        INFO(line);
        CHECK(verdict(line) == blocking_parse::not_blocking);
    }
    blocking_call call;
    CHECK(parse_blocking({}, call) == blocking_parse::not_blocking);
}

TEST_CASE("keys and the timeout are found", "[blocking_call]") {
    const auto brpop = call_of("BRPOP q q:3 q:6 1");
    CHECK(brpop.keys == keys{"q", "q:3", "q:6"});
    CHECK(brpop.timeout_index == 4);
    CHECK(brpop.timeout == 1000ms);
    CHECK(call_of("BLMOVE src dst LEFT LEFT 0").keys == keys{"src"});
    CHECK(call_of("BRPOPLPUSH src dst 0").keys == keys{"src"});
    const auto blmpop = call_of("BLMPOP 2.5 2 a b RIGHT COUNT 10");
    CHECK(blmpop.keys == keys{"a", "b"});
    CHECK(blmpop.timeout_index == 1);
    CHECK(blmpop.timeout == 2500ms);
    const auto xread = call_of("XREAD COUNT 2 BLOCK 70 STREAMS s t 0 $");
    CHECK(xread.keys == keys{"s", "t"});
    CHECK(xread.timeout_index == 4);
    CHECK(xread.timeout == 70ms);
    CHECK(call_of("XREADGROUP GROUP block streams BLOCK 9 STREAMS s >").timeout == 9ms);
}

TEST_CASE("timeouts are read as Redis reads them", "[blocking_call]") {
    CHECK(call_of("BLPOP q 0.0001").timeout == 1ms);
    CHECK(call_of("BLPOP q 0.0015").timeout == 2ms);
    CHECK(call_of("BLPOP q 1e-2").timeout == 10ms);
    CHECK(call_of("BLPOP q 0x1").timeout == 1000ms);
    CHECK(call_of("BLPOP q +1").timeout == 1000ms);
    CHECK(call_of("BLPOP q .01").timeout == 10ms);
    for (const char* forever : {"0", "0.0", "-0", "-0.0001", "-0.0009"}) {
        INFO(forever);
        CHECK_FALSE(call_of(std::string("BLPOP q ") + forever).timeout);
    }
    CHECK_FALSE(call_of("XREAD BLOCK 0 STREAMS s $").timeout);
    CHECK(call_of("XREAD BLOCK 900 BLOCK 10 STREAMS s $").timeout == 10ms);
}

TEST_CASE("a very long wait stays addable to a clock", "[blocking_call]") {
    for (const char* line : {"BLPOP q 9223372036854775", "XREAD BLOCK 9223372036854775807 STREAMS s $"}) {
        const auto call = call_of(line);
        REQUIRE(call.timeout);
        const auto later = std::chrono::steady_clock::now() + std::chrono::nanoseconds(*call.timeout);
        CHECK(later > std::chrono::steady_clock::now());
        CHECK(call.with_timeout(std::nullopt) == frame(line));
    }
}

TEST_CASE("timeouts that Redis refuses are invalid", "[blocking_call]") {
    for (const char* bad : {"-1", "-0.9", "nan", "inf", "-inf", "1e400", "1e-5000", "9223372036854776", "abc",
                            "", " 1", "1 ", "0x", "1s"}) {
        INFO(bad);
        CHECK(with_timeout_text(bad) == blocking_parse::invalid);
    }
    CHECK(with_timeout_text(std::string_view("1\0", 2)) == blocking_parse::invalid);
    CHECK(with_timeout_text(std::string(5120, '1')) == blocking_parse::invalid);
    for (const char* bad : {"-1", "1.5", "9223372036854775808", "+1", "01", "x", "-0"}) {
        INFO(bad);
        CHECK(verdict(std::string("XREAD BLOCK ") + bad + " STREAMS s 0") == blocking_parse::invalid);
    }
    CHECK(verdict("BLMPOP -1 1 a LEFT") == blocking_parse::invalid);
    CHECK(verdict("BLMOVE a b LEFT LEFT x") == blocking_parse::invalid);
}

TEST_CASE("malformed calls are invalid", "[blocking_call]") {
    for (const char* line :
         {"BLPOP", "BLPOP q", "BLMOVE a b LEFT LEFT", "BLMOVE a b LEFT LEFT 0 0", "BLMOVE a b UP LEFT 0",
          "BRPOPLPUSH a 0", "BLMPOP 0 0 a LEFT", "BLMPOP 0 01 a LEFT", "BLMPOP 0 -1 a LEFT",
          "BLMPOP 0 2 a LEFT", "BLMPOP 0 9223372036854775807 a LEFT", "BLMPOP 0 1 a MIN", "BZMPOP 0 1 a LEFT",
          "BZMPOP 0 1 a", "XREAD BLOCK 0 STREAMS a", "XREAD BLOCK 0 STREAMS a b 0",
          "XREAD BLOCK 0 COUNT 1"}) {
        INFO(line);
        CHECK(verdict(line) == blocking_parse::invalid);
    }
}

TEST_CASE("an option of a later Redis does not hide that a call blocks", "[blocking_call]") {
    const auto call = call_of("XREADGROUP GROUP g c CLAIM 1000 BLOCK 5 STREAMS s >");
    CHECK(call.timeout == 5ms);
    CHECK(call.keys == keys{"s"});
}

TEST_CASE("a call is repeated with another timeout", "[blocking_call]") {
    CHECK(call_of("brpop q 30").with_timeout(1'234ms) == frame("brpop q 1.234"));
    CHECK(call_of("brpop q 30").with_timeout(7ms) == frame("brpop q 0.007"));
    CHECK(call_of("brpop q 30").with_timeout(0ms) == frame("brpop q 0.001"));
    CHECK(call_of("brpop q 30").with_timeout(-5ms) == frame("brpop q 0.001"));
    CHECK(call_of("brpop q 0").with_timeout(std::nullopt) == frame("brpop q 0"));
    CHECK(call_of("BLMPOP 9 1 q LEFT").with_timeout(20ms) == frame("BLMPOP 0.020 1 q LEFT"));
    CHECK(call_of("XREAD BLOCK 900 STREAMS s 0").with_timeout(20ms) == frame("XREAD BLOCK 20 STREAMS s 0"));
    CHECK(call_of("XREAD BLOCK 9 BLOCK 900 STREAMS s 0").with_timeout(20ms) ==
          frame("XREAD BLOCK 9 BLOCK 20 STREAMS s 0"));
    CHECK(call_of("XREAD BLOCK 900 STREAMS s 0").with_timeout(0ms) == frame("XREAD BLOCK 1 STREAMS s 0"));
}

TEST_CASE("the twin that does not block asks the same question", "[blocking_call]") {
    CHECK(call_of("BLPOP a b 0").as_poll() == frame("LMPOP 2 a b LEFT"));
    CHECK(call_of("brpop a 0").as_poll() == frame("LMPOP 1 a RIGHT"));
    CHECK(call_of("BLMOVE a b left RIGHT 0").as_poll() == frame("LMOVE a b left RIGHT"));
    CHECK(call_of("BRPOPLPUSH a b 0").as_poll() == frame("RPOPLPUSH a b"));
    CHECK(call_of("BLMPOP 0 2 a b LEFT COUNT 5").as_poll() == frame("LMPOP 2 a b LEFT COUNT 5"));
    CHECK(call_of("BZPOPMIN a b 0").as_poll() == frame("ZMPOP 2 a b MIN"));
    CHECK(call_of("BZPOPMAX a 0").as_poll() == frame("ZMPOP 1 a MAX"));
    CHECK(call_of("BZMPOP 0 1 a max").as_poll() == frame("ZMPOP 1 a max"));
    CHECK(call_of("XREAD COUNT 2 block 5 STREAMS block 0").as_poll() ==
          frame("XREAD COUNT 2 STREAMS block 0"));
    CHECK(call_of("XREAD BLOCK 5 BLOCK 6 STREAMS s 0").as_poll() == frame("XREAD STREAMS s 0"));
    CHECK(call_of("XREADGROUP GROUP g c BLOCK 0 NOACK STREAMS s >").as_poll() ==
          frame("XREADGROUP GROUP g c NOACK STREAMS s >"));
}

TEST_CASE("calls that differ only in their timeout coalesce", "[blocking_call]") {
    CHECK(call_of("BRPOP a b 1").coalescing_key() == call_of("brpop a b 30").coalescing_key());
    CHECK(call_of("BRPOP a b 1").coalescing_key() != call_of("BRPOP ab 1").coalescing_key());
    CHECK(call_of("BRPOP a b 1").coalescing_key() != call_of("BRPOP b a 1").coalescing_key());
    CHECK(call_of("BRPOP a 1").coalescing_key() != call_of("BLPOP a 1").coalescing_key());
    CHECK(call_of("XREAD BLOCK 5 STREAMS s 0").coalescing_key() ==
          call_of("XREAD BLOCK 6 STREAMS s 0").coalescing_key());
    CHECK(call_of("BLMPOP 1 1 a LEFT COUNT 1").coalescing_key() !=
          call_of("BLMPOP 1 1 a LEFT COUNT 2").coalescing_key());
}

TEST_CASE("only calls whose reply alone carries the elements pop", "[blocking_call]") {
    for (const char* line : {"BLPOP a 1", "BRPOP a 1", "BLMPOP 1 1 a LEFT", "BZPOPMIN a 1", "BZPOPMAX a 1",
                             "BZMPOP 1 1 a MIN"}) {
        CHECK(call_of(line).pops());
    }
    for (const char* line : {"BLMOVE a b LEFT LEFT 1", "BRPOPLPUSH a b 1", "XREAD BLOCK 1 STREAMS a 0",
                             "XREADGROUP GROUP g c BLOCK 1 STREAMS a >"}) {
        CHECK_FALSE(call_of(line).pops());
    }
}

TEST_CASE("ids that mean the newest entry are listed with their keys", "[blocking_call]") {
    const auto ids = call_of("XREAD BLOCK 0 STREAMS $ b c 0 $ $").dollar_ids();
    REQUIRE(ids.size() == 2);
    CHECK(ids[0].arg_index == 8);
    CHECK(ids[0].key == "b");
    CHECK(ids[1].arg_index == 9);
    CHECK(ids[1].key == "c");
    CHECK(call_of("XREADGROUP GROUP g c BLOCK 0 STREAMS s $").dollar_ids().empty());
    CHECK(call_of("BLPOP $ 0").dollar_ids().empty());
}

TEST_CASE("a poll's reply becomes the blocking command's", "[blocking_call]") {
    const auto blpop = call_of("BLPOP q 1");
    CHECK(reply_from_poll(blpop, "*2\r\n$1\r\nq\r\n*1\r\n$4\r\n\r\nab\r\n", 2) ==
          "*2\r\n$1\r\nq\r\n$4\r\n\r\nab\r\n");
    CHECK(reply_from_poll(blpop, "*2\r\n$5\r\n\r\n*1\r\r\n*1\r\n$0\r\n\r\n", 3) ==
          "*2\r\n$5\r\n\r\n*1\r\r\n$0\r\n\r\n");
    const auto bzpopmin = call_of("BZPOPMIN z 1");
    CHECK(reply_from_poll(bzpopmin, "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nd\r\n$4\r\n-inf\r\n", 2) ==
          "*3\r\n$1\r\nz\r\n$1\r\nd\r\n$4\r\n-inf\r\n");
    CHECK(reply_from_poll(bzpopmin, "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nd\r\n,1.5\r\n", 3) ==
          "*3\r\n$1\r\nz\r\n$1\r\nd\r\n,1.5\r\n");
    const std::string many = "*2\r\n$1\r\nq\r\n*1\r\n$1\r\na\r\n";
    CHECK(reply_from_poll(call_of("BLMPOP 1 1 q LEFT"), many, 2) == many);
    CHECK(reply_from_poll(call_of("BLMOVE a b LEFT LEFT 1"), "$1\r\na\r\n", 2) == "$1\r\na\r\n");
    const std::string entries = "%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n";
    CHECK(reply_from_poll(call_of("XREAD BLOCK 1 STREAMS s 0"), entries, 3) == entries);
}

TEST_CASE("a poll that found nothing has no reply, one that failed has its error", "[blocking_call]") {
    const std::string error = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    for (const char* line :
         {"BLPOP q 1", "BLMOVE a b LEFT LEFT 1", "BZPOPMAX z 1", "XREAD BLOCK 1 STREAMS s 0"}) {
        INFO(line);
        const auto call = call_of(line);
        CHECK_FALSE(reply_from_poll(call, "*-1\r\n", 2));
        CHECK_FALSE(reply_from_poll(call, "$-1\r\n", 2));
        CHECK_FALSE(reply_from_poll(call, "_\r\n", 3));
        CHECK(reply_from_poll(call, error, 2) == error);
    }
}

TEST_CASE("the end of the wait is a null array for every kind", "[blocking_call]") {
    for (const char* line : {"BLPOP q 1", "BLMOVE a b LEFT LEFT 1", "BRPOPLPUSH a b 1", "BZMPOP 1 1 z MIN",
                             "XREADGROUP GROUP g c BLOCK 1 STREAMS a >"}) {
        CHECK(timeout_reply(call_of(line), 2) == "*-1\r\n");
        CHECK(timeout_reply(call_of(line), 3) == "_\r\n");
    }
}
