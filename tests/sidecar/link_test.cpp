#include "sidecar/core/link.hpp"

#include <array>
#include <functional>

#include "resp/writer.hpp"
#include "tests/support/fragments.hpp"

using namespace sidecar;

namespace {

using sidecar::link;  // not the system call

const time_point start{std::chrono::seconds(1000)};

struct recorded_events final : link_events {
    int ready = 0;
    std::vector<link_fall> falls;
    std::string cause;
    handshake_state why = handshake_state::more;
    std::vector<std::string> pushes;
    int push_series = 0;
    std::function<void()> on_series_end;
    std::vector<std::string> answers;  // command, first bytes of its reply
    std::string unsolicited;
    bool accepts_unsolicited = false;

    void on_link_dirty(link& which) override { which.dirty = true; }
    void on_link_ready(link&) override { ++ready; }
    void on_link_down(link&, link_fall how, std::string_view text, handshake_state reason) override {
        falls.push_back(how);
        cause = text;
        why = reason;
    }
    void on_link_push(link&, std::string_view frame) override { pushes.emplace_back(frame); }
    void on_link_pushes_end(link&) override {
        if (on_series_end && push_series == 1) on_series_end();
        ++push_series;
    }
    bool on_link_unsolicited(link&, std::string_view bytes) override {
        unsolicited += bytes;
        return accepts_unsolicited;
    }
    void on_link_answer(link& which, const upstream_entry&, std::string_view first) override {
        answers.push_back(std::string(which.front_command()) + " -> " + std::string(first));
    }
};

struct recorded_owner final : reply_owner {
    std::string seen;  // "number:reply;" once complete
    std::string current;
    std::string events;
    std::string runs;  // "count:command bytes:replies;"
    bool takes_runs = false;
    bool wanted = true;
    bool retries = true;

    void on_reply(const upstream_entry& entry, std::string_view bytes, bool complete) override {
        current += bytes;
        if (!complete) return;
        seen += std::to_string(entry.number) + ":" + current + ";";
        current.clear();
    }
    [[nodiscard]] bool takes_run(const upstream_entry&) const override { return takes_runs; }
    void on_run(std::uint32_t count, std::uint64_t command_bytes, std::string_view replies) override {
        runs +=
            std::to_string(count) + ":" + std::to_string(command_bytes) + ":" + std::string(replies) + ";";
    }
    loss_verdict on_link_lost(const upstream_entry& entry, bool sent) override {
        events += (sent ? "lost " : "unsent ") + std::to_string(entry.number) + ";";
        const bool again = retries && (!sent || (entry.flags & entry_flag::readonly) != 0) &&
                           (entry.flags & entry_flag::retried) == 0;
        return again ? loss_verdict::resend : loss_verdict::drop;
    }
    void on_never_sent(const upstream_entry& entry) override {
        events += "never " + std::to_string(entry.number) + ";";
    }
    [[nodiscard]] bool wants_still() const override { return wanted; }
};

struct fixture {
    recorded_events events;
    recorded_owner owner;
    link wire{link_key{}, handshake_settings{}, events, 1};

    void submit(std::uint32_t number, std::string_view bytes, std::uint8_t flags = 0) {
        upstream_entry entry;
        entry.owner = &owner;
        entry.number = number;
        entry.flags = flags;
        wire.submit(entry, bytes);
    }

    std::string written(std::size_t bytes_max = std::string::npos) {
        std::string out;
        std::array<std::string_view, 4> pieces;
        while (wire.has_output() && out.size() < bytes_max) {
            const std::size_t count = wire.gather(pieces);
            REQUIRE(count > 0);
            std::string part;
            for (std::size_t i = 0; i < count; ++i) part += pieces[i];
            part.resize(std::min(part.size(), bytes_max - out.size()));
            wire.on_written(part.size());
            out += part;
        }
        return out;
    }

    void open() {
        REQUIRE(wire.wants_open(start + std::chrono::hours(1)));
        wire.on_opening();
        wire.on_open();
        CHECK(written() == resp::command({"CLIENT", "ID"}) + resp::command({"PING"}));
        wire.on_bytes(":5\r\n+PONG\r\n");
        REQUIRE(wire.ready());
    }
};

}  // namespace

TEST_CASE("a link opens when there is work and carries nothing before it is greeted") {
    fixture f;
    CHECK_FALSE(f.wire.wants_open(start));
    f.submit(1, "GET a");
    CHECK(f.wire.dirty);
    CHECK(f.wire.wants_open(start));
    f.wire.on_opening();
    CHECK_FALSE(f.wire.wants_open(start));
    CHECK(f.written().empty());
    f.wire.on_open();
    CHECK(f.written(10).size() == 10);
    CHECK(f.written().find("GET a") == std::string::npos);
    f.wire.on_bytes(":5\r\n+PO");
    CHECK(f.events.ready == 0);
    f.wire.on_bytes("NG\r\n");
    CHECK(f.events.ready == 1);
    CHECK(f.wire.upstream_client_id() == 5);
    CHECK(f.written() == "GET a");
}

TEST_CASE("replies find their owners however they are cut") {
    tests::each_fragmentation(
        "$3\r\nabc\r\n-ERR no\r\n*2\r\n:1\r\n*1\r\n+x\r\n", [](const tests::pieces& pieces) {
            fixture f;
            recorded_owner other;
            f.submit(1, "GET a");
            upstream_entry entry;
            entry.owner = &other;
            entry.number = 7;
            f.wire.submit(entry, "BAD");
            f.submit(2, "LRANGE");
            f.open();
            CHECK(f.written() == "GET aBADLRANGE");
            for (const auto piece : pieces) f.wire.on_bytes(piece);
            CHECK(f.owner.seen == "1:$3\r\nabc\r\n;2:*2\r\n:1\r\n*1\r\n+x\r\n;");
            CHECK(other.seen == "7:-ERR no\r\n;");
            CHECK(f.wire.idle());
            CHECK(f.events.answers == std::vector<std::string>{"GET a -> $3\r\nabc\r\n", "BAD -> -ERR no\r\n",
                                                               "LRANGE -> *2\r\n:1\r\n*1\r\n+x\r\n"});
        });
}

TEST_CASE("pushes are passed on whole and pair with nothing") {
    const std::string push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
    tests::each_fragmentation("+A\r\n" + push + push + "+B\r\n", [&](const tests::pieces& pieces) {
        fixture f;
        f.submit(1, "a");
        f.submit(2, "b");
        f.open();
        (void)f.written();
        for (const auto piece : pieces) f.wire.on_bytes(piece);
        CHECK(f.events.pushes == std::vector<std::string>{push, push});
        CHECK(f.owner.seen == "1:+A\r\n;2:+B\r\n;");
    });
}

TEST_CASE("the end of a series of pushes is told before what comes behind it") {
    const std::string push = ">1\r\n+x\r\n";
    fixture f;
    f.submit(1, "a");
    f.open();
    (void)f.written();
    f.wire.on_bytes(push + push);
    CHECK(f.events.push_series == 1);
    f.events.on_series_end = [&] { CHECK(f.owner.seen.empty()); };
    f.wire.on_bytes(push + "+A\r\n" + push);
    CHECK(f.owner.seen == "1:+A\r\n;");
    CHECK(f.events.push_series == 3);
}

TEST_CASE("bytes that are no RESP end the connection, and nobody gets them") {
    fixture f;
    f.submit(1, "GET a");
    f.open();
    (void)f.written();
    f.wire.on_bytes("HTTP/1.1 400\r\n");
    CHECK(f.wire.wants_close());
    CHECK(f.owner.seen.empty());
    f.wire.on_closed("closed", start);
    CHECK(f.events.falls == std::vector<link_fall>{link_fall::lost});
    CHECK(f.events.why == handshake_state::failed);
    CHECK(f.events.cause == "upstream sent bytes that are no RESP");
    CHECK(f.owner.events == "lost 1;");
}

TEST_CASE("a reply that nobody asked for ends the connection, unless it is expected") {
    fixture f;
    f.submit(1, "GET a");
    f.open();
    SECTION("nothing was asked yet: the command is not written") {
        f.wire.on_bytes("+OK\r\n");
        CHECK(f.wire.wants_close());
        CHECK(f.owner.seen.empty());
    }
    SECTION("one reply too many") {
        (void)f.written();
        f.wire.on_bytes("+OK\r\n+more\r\n");
        CHECK(f.owner.seen == "1:+OK\r\n;");
        CHECK(f.wire.wants_close());
    }
    SECTION("a stream") {
        (void)f.written();
        f.events.accepts_unsolicited = true;
        f.wire.on_bytes("+OK\r\n+1.2 monitor\r\n");
        CHECK(f.events.unsolicited == "+1.2 monitor\r\n");
        CHECK_FALSE(f.wire.wants_close());
    }
}

TEST_CASE("a loss resends what is unsent and reads once, in order") {
    fixture f;
    f.submit(1, "[get1]", entry_flag::readonly);
    f.submit(2, "[set2]");
    f.submit(3, "[get3]", entry_flag::readonly);
    f.submit(4, "[set4]");
    f.open();
    (void)f.written(21);  // into the fourth
    f.wire.on_closed("reset", start);
    CHECK(f.owner.events == "lost 1;lost 2;lost 3;unsent 4;");
    CHECK(f.events.falls == std::vector<link_fall>{link_fall::lost});
    CHECK(f.events.cause == "reset");
    CHECK(f.wire.in_flight() == 3);
    f.open();
    CHECK(f.written() == "[get1][get3][set4]");
    f.wire.on_closed("reset", start);
    CHECK(f.wire.idle());
    CHECK(f.wire.losses() == 2);
}

TEST_CASE("a reply begun on the old connection is not completed by the new one") {
    fixture f;
    f.submit(1, "[get1]", entry_flag::readonly);
    f.open();
    (void)f.written();
    f.wire.on_bytes("$100\r\nabc");
    CHECK(f.wire.mid_reply());
    f.owner.retries = false;
    f.wire.on_closed("reset", start);
    f.submit(2, "[get2]");
    f.open();
    (void)f.written();
    f.owner.current.clear();
    f.wire.on_bytes("+OK\r\n");
    CHECK(f.owner.seen == "2:+OK\r\n;");
}

TEST_CASE("a failed attempt loses nothing, and the next one waits longer") {
    fixture f;
    f.submit(1, "GET");
    time_point now = start;
    std::chrono::nanoseconds longest{};
    for (int i = 0; i < 8; ++i) {
        REQUIRE(f.wire.wants_open(now));
        f.wire.on_opening();
        if (i % 2 == 1) f.wire.on_open();
        f.wire.on_closed("refused", now);
        CHECK_FALSE(f.wire.wants_open(now));
        const auto failed = now;
        while (!f.wire.wants_open(now)) now += std::chrono::milliseconds(1);
        longest = std::max<std::chrono::nanoseconds>(longest, now - failed);
    }
    CHECK(longest >= std::chrono::milliseconds(125));
    CHECK(longest <= std::chrono::milliseconds(251));
    CHECK(f.owner.events.empty());
    CHECK(f.events.falls == std::vector<link_fall>(8, link_fall::attempt_failed));
    f.open();
    CHECK(f.written() == "GET");
    f.wire.on_closed("lost", now);
    CHECK(f.wire.wants_open(now + std::chrono::milliseconds(10)) == !f.wire.idle());
}

TEST_CASE("a refused password is tried again slowly") {
    fixture f;
    f.submit(1, "GET");
    f.wire.on_opening();
    f.wire.on_open();
    f.wire.on_bytes("-NOAUTH Authentication required.\r\n");
    CHECK(f.wire.wants_close());
    f.wire.on_closed("closed", start);
    CHECK(f.events.why == handshake_state::refused);
    CHECK(f.events.cause == "NOAUTH Authentication required.");
    CHECK_FALSE(f.wire.wants_open(start + std::chrono::milliseconds(999)));
    CHECK(f.wire.wants_open(start + std::chrono::seconds(1)));
    f.wire.retry_by(start + std::chrono::milliseconds(200));
    CHECK_FALSE(f.wire.wants_open(start + std::chrono::milliseconds(199)));
    CHECK(f.wire.wants_open(start + std::chrono::milliseconds(200)));
}

TEST_CASE("held commands can be given up, the sidecar's own stay") {
    fixture f;
    f.submit(1, "GET");
    f.submit(2, "BLPOP", entry_flag::unbounded);
    f.submit(3, "SET");
    f.wire.expire_held();
    CHECK(f.owner.events == "never 1;never 3;");
    CHECK(f.wire.in_flight() == 1);
    f.open();
    CHECK(f.written() == "BLPOP");
    f.submit(4, "GET");
    f.wire.expire_held();  // a link in use holds nothing
    CHECK(f.owner.events == "never 1;never 3;");
}

TEST_CASE("commands of clients that went away meanwhile are not sent") {
    fixture f;
    recorded_owner gone;
    gone.wanted = false;
    f.submit(1, "[keep]");
    upstream_entry entry;
    entry.owner = &gone;
    f.wire.submit(entry, "[drop]");
    f.submit(2, "[keep]");
    f.open();
    CHECK(f.written() == "[keep][keep]");
    CHECK(gone.events == "never 0;");
}

TEST_CASE("a retired link gives up everything and never opens again") {
    fixture f;
    f.submit(1, "a");
    f.open();
    (void)f.written();
    f.submit(2, "b");
    f.wire.retire();
    CHECK(f.owner.events == "never 1;never 2;");
    CHECK(f.wire.wants_close());
    f.wire.on_bytes("+late\r\n");
    CHECK(f.owner.seen.empty());
    f.wire.on_closed("closed by us", start);
    CHECK(f.events.falls == std::vector<link_fall>{link_fall::closed_by_us});
    CHECK_FALSE(f.wire.wants_open(start + std::chrono::hours(1)));
}

TEST_CASE("a link closed on purpose comes back at once when there is work") {
    fixture f;
    f.submit(1, "a");
    f.open();
    (void)f.written();
    f.wire.on_bytes("+A\r\n");
    f.wire.close();
    f.wire.on_closed("closed by us", start);
    CHECK_FALSE(f.wire.wants_open(start));
    f.submit(2, "b");
    CHECK(f.wire.wants_open(start));
    f.open();
    CHECK(f.written() == "b");
}

TEST_CASE("commands without answers pair with nothing and are not repeated") {
    fixture f;
    f.submit(1, "[a]");
    f.open();
    f.wire.send_unanswered("[SUBSCRIBE x]");
    f.submit(2, "[b]");
    f.wire.send_unanswered("[SUBSCRIBE y]");
    CHECK(f.written() == "[a][SUBSCRIBE x][b][SUBSCRIBE y]");
    f.wire.on_bytes("+A\r\n+B\r\n");
    CHECK(f.owner.seen == "1:+A\r\n;2:+B\r\n;");
    f.wire.send_unanswered("[SUBSCRIBE z]");
    (void)f.written(4);
    f.wire.on_closed("reset", start);
    CHECK(f.wire.idle());
}

TEST_CASE("replies come while a later command is still being written") {
    fixture f;
    const std::string big(100'000, 'x');
    f.submit(1, "[a]");
    f.submit(2, big);
    f.open();
    (void)f.written(50'000);
    f.wire.on_bytes("+A\r\n");
    CHECK(f.owner.seen == "1:+A\r\n;");
    CHECK(f.written().size() == big.size() + 3 - 50'000);
    f.wire.on_bytes("+B\r\n");
    CHECK(f.owner.seen == "1:+A\r\n;2:+B\r\n;");
}

TEST_CASE("the bytes of both directions are counted") {
    fixture f;
    f.submit(1, "a");
    f.open();
    const auto in = f.wire.bytes_in();
    const auto out = f.wire.bytes_out();
    CHECK(in == 11);
    (void)f.written();
    f.wire.on_bytes("+A\r\n");
    CHECK(f.wire.bytes_in() == in + 4);
    CHECK(f.wire.bytes_out() == out + 1);
}

TEST_CASE("whole short replies of one owner are given at once, each of them counted") {
    fixture f;
    f.owner.takes_runs = true;
    f.submit(1, "GET a");
    f.submit(2, "GET bb");
    f.submit(3, "INCR c");
    f.open();
    CHECK(f.written() == "GET aGET bbINCR c");
    f.wire.on_bytes("$1\r\nx\r\n%0\r\n-ERR no\r\n");
    CHECK(f.owner.runs == "1:5:$1\r\nx\r\n;1:6:-ERR no\r\n;");
    CHECK(f.owner.seen == "2:%0\r\n;");
    CHECK(f.events.answers ==
          std::vector<std::string>{"GET a -> $1\r\nx\r\n", "GET bb -> %0\r\n", "INCR c -> -ERR no\r\n"});
    CHECK(f.wire.idle());
}

TEST_CASE("a run ends where another owner, a gap in the numbers, another use or an unsent command begins") {
    fixture f;
    f.owner.takes_runs = true;
    recorded_owner other;
    other.takes_runs = true;
    const auto submit = [&](reply_owner& owner, std::uint32_t number, reply_use use) {
        upstream_entry entry;
        entry.owner = &owner;
        entry.number = number;
        entry.use = use;
        f.wire.submit(entry, "cmd");
    };
    submit(f.owner, 1, reply_use::forward);
    submit(f.owner, 2, reply_use::forward);
    submit(other, 1, reply_use::forward);
    submit(f.owner, 3, reply_use::forward);
    submit(f.owner, 5, reply_use::forward);
    submit(f.owner, 6, reply_use::queued);
    f.open();
    CHECK(f.written().size() == 18);
    f.wire.on_bytes(":1\r\n:2\r\n:1\r\n:3\r\n:5\r\n:6\r\n");
    CHECK(f.owner.runs == "2:6::1\r\n:2\r\n;1:3::3\r\n;1:3::5\r\n;");
    CHECK(other.runs == "1:3::1\r\n;");
    CHECK(f.owner.seen == "6::6\r\n;");
    submit(f.owner, 7, reply_use::forward);
    f.wire.on_bytes(":7\r\n");
    CHECK(f.events.unsolicited == ":7\r\n");
}
