#include "broker/transcript.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <initializer_list>
#include <list>
#include <string>
#include <vector>

#include "resp/writer.hpp"

using namespace broker;
using part = command_record::part;

namespace {

// A batch being written, and what is read of it. Frames outlive it here.
struct wire {
    note_batch batch;
    std::deque<command_record> records;
    std::list<std::string> frames;
    transcript reader;
    std::vector<std::string> told;

    command_record& sent(std::uint64_t client, part is, std::initializer_list<std::string_view> words) {
        return sent_bytes(client, is, resp::command(words));
    }
    command_record& sent_bytes(std::uint64_t client, part is, std::string frame) {
        frames.push_back(std::move(frame));
        const std::string& kept = frames.back();
        records.push_back(
            {kept.data(), client, 11, static_cast<std::uint32_t>(kept.size()), 0, 2, is, true, false});
        return records.back();
    }
    void note(wire_kind kind, std::uint64_t client) {
        wire_note n;
        n.kind = kind;
        n.client = client;
        records.push_back({});
        const std::size_t before = batch.notes.size();
        append(batch.notes, n);
        records.back().bytes = static_cast<std::uint32_t>(batch.notes.size() - before);
    }
    std::vector<std::string> read() {
        batch.records = {std::make_unique<command_record[]>(records.size()), records.size()};
        std::copy(records.begin(), records.end(), batch.records.begin());
        records.clear();
        reader.read(batch, [this](const wire_note& n) {
            told.push_back(std::to_string(static_cast<int>(n.kind)) + " " + std::string(n.key) + " " +
                           std::string(n.text.substr(0, 8)) + " " + std::to_string(n.size));
        });
        batch = {};
        return std::exchange(told, {});
    }
};

std::string line(wire_kind kind, const std::string& rest) {
    return std::to_string(static_cast<int>(kind)) + " " + rest;
}

using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("commands and notes are told in their order", "[broker][transcript]") {
    wire w;
    w.note(wire_kind::connected, 7);
    w.sent(7, part::alone, {"LPUSH", "celery", "{}"});
    w.note(wire_kind::waits_over, 7);
    CHECK(w.read() == lines{line(wire_kind::connected, "  0"), line(wire_kind::pushed, "celery {} 2"),
                            line(wire_kind::waits_over, "  0")});
}

TEST_CASE("what failed is not told, nor what means nothing", "[broker][transcript]") {
    wire w;
    w.sent(7, part::alone, {"LPUSH", "celery", "{}"}).failed = true;
    w.sent(7, part::alone, {"SET", "a", "b"});
    w.sent_bytes(7, part::alone, "*1\r\n$5\r\nLPU");
    CHECK(w.read().empty());
}

TEST_CASE("a transaction is told when it has run, over several batches", "[broker][transcript]") {
    wire w;
    w.sent(7, part::queued, {"lpush", "q", "a"});
    w.sent(8, part::queued, {"lpush", "q", "b"});
    CHECK(w.read().empty());
    CHECK(w.reader.transactions() == 2);
    w.sent(7, part::ends, {"EXEC"});
    w.sent(8, part::ends, {"DISCARD"});
    CHECK(w.read() == lines{line(wire_kind::pushed, "q a 1")});
    w.sent(7, part::queued, {"lpush", "q", "c"});
    w.sent(7, part::ends, {"EXEC"}).failed = true;
    w.sent(7, part::ends, {"EXEC"});
    CHECK(w.read().empty());
    CHECK(w.reader.transactions() == 0);
}

TEST_CASE("a transaction in one piece is told when it has run", "[broker][transcript]") {
    wire w;
    const std::string frames = resp::command({"lpush", "q", "a"}) + resp::command({"GET", "k"}) +
                               resp::command({"RPOP", "q"}) + resp::command({"HDEL", "unacked", "t"}) +
                               resp::command({"EXEC"});
    w.sent_bytes(7, part::whole, frames);
    w.sent_bytes(7, part::whole, frames).failed = true;
    w.sent_bytes(7, part::whole, frames.substr(0, frames.size() - 3));
    CHECK(w.read() == lines{line(wire_kind::pushed, "q a 1"), line(wire_kind::settled, "unacked t 0")});
    CHECK(w.reader.transactions() == 0);
}

TEST_CASE("a client's end and a gap end transactions", "[broker][transcript]") {
    wire w;
    w.sent(7, part::queued, {"lpush", "q", "a"});
    w.note(wire_kind::gone, 7);
    w.sent(7, part::ends, {"EXEC"});
    CHECK(w.read() == lines{line(wire_kind::gone, "  0")});
    w.sent(7, part::queued, {"lpush", "q", "a"});
    (void)w.read();
    w.reader.on_gap();
    w.sent(7, part::ends, {"EXEC"});
    CHECK(w.read().empty());
}

TEST_CASE("a shortened frame tells the message's true size", "[broker][transcript]") {
    wire w;
    w.sent_bytes(7, part::alone, shortened(resp::command({"LPUSH", "q", std::string(50'000, 'x')})));
    CHECK(w.read() == lines{line(wire_kind::pushed, "q xxxxxxxx 50000")});
}
