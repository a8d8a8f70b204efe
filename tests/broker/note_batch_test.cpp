#include "broker/note_batch.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "resp/writer.hpp"

using namespace broker;
using part = command_record::part;

TEST_CASE("notes beside each other share a record, and weigh what they hold", "[broker][note_batch]") {
    note_batch batch;
    CHECK(batch.empty());
    wire_note note;
    note.text = "a";
    batch.append(note);
    batch.append(note);
    REQUIRE(batch.records.size() == 1);
    CHECK(batch.records[0].is == part::notes);
    CHECK(batch.records[0].bytes == batch.notes.size());
    batch.records.push_back({nullptr, 1, 1, 0, 0, 2, part::alone, false, false});
    batch.append(note);
    CHECK(batch.records.size() == 3);
    batch.pinned_bytes = 1000;
    CHECK(batch.weight() == 3 * sizeof(command_record) + batch.notes.size() + 1000);
}

TEST_CASE("a long frame is kept with its arguments' ends and true lengths", "[broker][note_batch]") {
    const std::string message(100'000, 'x');
    const std::string frame = resp::command({"LPUSH", "q", message});
    const std::string kept = shortened(frame);
    const std::string body = resp::command({"LPUSH", "q", std::string(message_tail_bytes, 'x')});
    REQUIRE(kept.size() == body.size() + 3 * sizeof(std::uint64_t));
    CHECK(kept.starts_with(body));
}
