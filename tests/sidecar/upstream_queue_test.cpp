#include "sidecar/core/upstream_queue.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

using namespace sidecar;

namespace {

upstream_entry numbered(std::uint32_t n) {
    upstream_entry entry;
    entry.number = n;
    return entry;
}

// What the socket would be given, at most `bytes`, and reports it as written.
std::string write(upstream_queue& queue, std::size_t bytes, std::size_t width = 2) {
    std::vector<std::string_view> pieces(width);
    std::string out;
    const std::size_t count = queue.gather(pieces);
    for (std::size_t i = 0; i < count; ++i) out += pieces[i];
    out.resize(std::min(out.size(), bytes));
    queue.on_written(out.size());
    return out;
}

std::string text(std::uint32_t n, std::size_t size) {
    return std::string(size, static_cast<char>('a' + n % 26));
}

}  // namespace

TEST_CASE("a block that is kept elsewhere is appended to and never used for other bytes") {
    upstream_queue queue;
    queue.push(numbered(1), text(1, 1000));
    const auto kept = queue.keep_back_block();
    CHECK(kept.is_new);
    CHECK_FALSE(queue.keep_back_block().is_new);
    const std::string_view first(queue.bytes_end() - 1000, 1000);
    for (std::uint32_t n = 2; n < 300; ++n) {
        write(queue, 10'000);
        queue.pop_front();
        CHECK(queue.kept_bytes() == 0);
        queue.push(numbered(n), text(n, 1000));
        CHECK(std::string_view(queue.bytes_end() - 1000, 1000) == text(n, 1000));
        CHECK(queue.front_bytes() == text(n, 1000));
    }
    CHECK(first == text(1, 1000));
    CHECK(kept.bytes.use_count() == 1);
}

TEST_CASE("commands are kept until answered and leave in order") {
    upstream_queue queue;
    CHECK(queue.empty());
    queue.push(numbered(1), "first");
    queue.push(numbered(2), "second");
    CHECK(queue.size() == 2);
    CHECK(queue.unsent_bytes() == 11);
    CHECK_FALSE(queue.front_was_sent());
    CHECK(write(queue, 4) == "firs");
    CHECK_FALSE(queue.front_was_sent());
    CHECK(write(queue, 3) == "tse");
    CHECK(queue.front_was_sent());
    CHECK(queue.front().number == 1);
    CHECK(queue.front_bytes() == "first");
    CHECK(queue.kept_bytes() == 11);
    queue.pop_front();
    CHECK(queue.kept_bytes() == 6);
    CHECK(queue.front_bytes() == "second");
    CHECK_FALSE(queue.front_was_sent());
    CHECK(write(queue, 100) == "cond");
    queue.pop_front();
    CHECK(queue.empty());
    CHECK(queue.kept_bytes() == 0);
    CHECK(queue.unsent_bytes() == 0);
    std::string_view piece;
    CHECK(queue.gather({&piece, 1}) == 0);
}

TEST_CASE("a command larger than a block, alone and between small ones") {
    upstream_queue queue;
    const std::string big(1'000'000, 'B');
    queue.push(numbered(0), big);
    CHECK(write(queue, big.size()) == big);
    CHECK(queue.front_bytes() == big);
    queue.pop_front();
    CHECK(queue.empty());
    for (std::uint32_t round = 0; round < 3; ++round) {
        queue.push(numbered(1), "small");
        queue.push(numbered(2), big);
        queue.push(numbered(3), "tail");
        std::string written;
        while (queue.unsent_bytes() > 0) written += write(queue, 70'001, 1);
        CHECK((written == "small" + big + "tail"));
        CHECK(queue.front_bytes() == "small");
        queue.pop_front();
        CHECK((queue.front_bytes() == big));
        queue.pop_front();
        CHECK(queue.front_bytes() == "tail");
        queue.pop_front();
    }
    CHECK(queue.empty());
}

TEST_CASE("commands that fill blocks exactly") {
    upstream_queue queue;
    const std::string half(16U << 10, 'h');
    for (std::uint32_t i = 0; i < 7; ++i) queue.push(numbered(i), half);
    std::size_t written = 0;
    while (queue.unsent_bytes() > 0) written += write(queue, 32U << 10).size();
    CHECK(written == 7 * half.size());
    for (std::uint32_t i = 0; i < 7; ++i) {
        CHECK(queue.front().number == i);
        CHECK((queue.front_bytes() == half));
        queue.pop_front();
    }
    queue.push(numbered(9), "next");
    CHECK(write(queue, 10) == "next");
    CHECK(queue.front_bytes() == "next");
}

TEST_CASE("a loss asks in order and says what had been sent whole") {
    upstream_queue queue;
    for (std::uint32_t i = 0; i < 5; ++i) queue.push(numbered(i), text(i, 10));
    (void)write(queue, 25);
    queue.pop_front();
    std::vector<std::pair<std::uint32_t, bool>> asked;
    queue.on_lost([&](upstream_entry& entry, bool sent) {
        asked.emplace_back(entry.number, sent);
        entry.flags |= entry_flag::retried;
        return entry.number == 3 ? loss_verdict::drop : loss_verdict::resend;
    });
    CHECK(asked ==
          std::vector<std::pair<std::uint32_t, bool>>{{1, true}, {2, false}, {3, false}, {4, false}});
    CHECK(queue.size() == 3);
    CHECK(queue.unsent_bytes() == 30);
    CHECK(write(queue, 100) == "bbbbbbbbbbcccccccccceeeeeeeeee");
    CHECK(queue.front().number == 1);
    CHECK((queue.front().flags & entry_flag::retried) != 0);
    CHECK(queue.front_bytes() == text(1, 10));
}

TEST_CASE("a loss over several blocks keeps every byte") {
    upstream_queue queue;
    std::string wanted;
    for (std::uint32_t i = 0; i < 200; ++i) {
        const std::size_t size = i % 17 == 0 ? 40'000 : 1'000 + i;
        queue.push(numbered(i), text(i, size));
        if (i % 3 != 0 && i >= 20) wanted += text(i, size);
    }
    for (std::uint32_t i = 0; i < 20; ++i) {
        while (!queue.front_was_sent()) (void)write(queue, 5'000, 1);
        queue.pop_front();
    }
    queue.on_lost([](const upstream_entry& entry, bool) {
        return entry.number % 3 == 0 ? loss_verdict::drop : loss_verdict::resend;
    });
    std::string written;
    while (queue.unsent_bytes() > 0) written += write(queue, 100'000, 3);
    CHECK((written == wanted));
}

TEST_CASE("random traffic, written and answered in random portions") {
    std::mt19937 random(20);
    for (int round = 0; round < 20; ++round) {
        upstream_queue queue;
        std::string wanted;
        std::string written;
        std::vector<std::string> commands;
        std::size_t answered = 0;
        std::size_t answered_bytes = 0;
        for (int i = 0; i < 2000; ++i) {
            if (random() % 2 == 0) {
                const std::size_t size = random() % 40 == 0 ? 20'000 + random() % 60'000 : 1 + random() % 200;
                const auto n = static_cast<std::uint32_t>(commands.size());
                commands.push_back(text(n, size));
                queue.push(numbered(n), commands.back());
                wanted += commands.back();
            }
            if (random() % 2 == 0) written += write(queue, random() % 40'000, 1 + random() % 3);
            while (!queue.empty() && queue.front_was_sent() && random() % 3 != 0) {
                REQUIRE(queue.front().number == answered);
                REQUIRE((queue.front_bytes() == commands[answered]));
                answered_bytes += commands[answered++].size();
                queue.pop_front();
            }
            REQUIRE(queue.unsent_bytes() == wanted.size() - written.size());
            REQUIRE(queue.kept_bytes() == wanted.size() - answered_bytes);
        }
        CHECK((wanted.substr(0, written.size()) == written));
    }
}

TEST_CASE("what has not begun to be written can be taken out, and others put in its place") {
    std::mt19937 random(11);
    for (int round = 0; round < 200; ++round) {
        upstream_queue queue;
        std::string expected;
        std::vector<std::size_t> ends;
        for (std::uint32_t n = 0; n < 40; ++n) {
            const std::string command = text(n, 1 + random() % (n % 7 == 0 ? 40'000 : 300));
            queue.push(numbered(n), command);
            expected += command;
            ends.push_back(expected.size());
        }
        const std::size_t sent = random() % (expected.size() + 1);
        std::string written = write(queue, sent, 64);
        const auto cut = queue.cut_unsent();
        const std::size_t kept = 40 - cut.size();
        const std::size_t end = kept == 0 ? 0 : ends[kept - 1];
        CHECK(end >= sent);
        CHECK((kept == 0 || end == sent || ends[kept - 1] - sent < 40'000));
        for (std::size_t i = 0; i < cut.size(); ++i) {
            CHECK(cut[i].entry.number == kept + i);
            CHECK(cut[i].bytes.size() == ends[kept + i] - (kept + i == 0 ? 0 : ends[kept + i - 1]));
        }
        expected.resize(end);
        for (const std::uint32_t n : {100U, 101U}) {
            queue.push(numbered(n), text(n, 35'000));
            expected += text(n, 35'000);
        }
        while (queue.unsent_bytes() > 0) written += write(queue, 20'000, 64);
        CHECK(written == expected);
        for (std::size_t i = 0; i < kept; ++i, queue.pop_front()) CHECK(queue.front().number == i);
        CHECK(queue.front_bytes() == text(100, 35'000));
        queue.pop_front();
        CHECK(queue.front().number == 101);
        queue.pop_front();
        CHECK(queue.empty());
    }
}

TEST_CASE("only what has been written is offered to be disowned") {
    class nobody final : public reply_owner {
        void on_reply(const upstream_entry&, std::string_view, bool) override {}
        loss_verdict on_link_lost(const upstream_entry&, bool) override { return loss_verdict::drop; }
        void on_never_sent(const upstream_entry&) override {}
    } owner;
    upstream_queue queue;
    for (std::uint32_t n = 0; n < 4; ++n) {
        upstream_entry entry = numbered(n);
        entry.owner = &owner;
        queue.push(entry, "abcd");
    }
    (void)write(queue, 10);
    std::string offered;
    queue.disown_written([&](const upstream_entry& entry) {
        offered += std::to_string(entry.number);
        return entry.number == 2;
    });
    CHECK(offered == "012");
    std::string owned;
    for (; !queue.empty(); queue.pop_front()) {
        owned += queue.front().owner != nullptr ? 'y' : 'n';
        (void)write(queue, 100);
    }
    CHECK(owned == "yyny");
}
