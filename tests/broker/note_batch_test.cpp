#include "broker/note_batch.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "resp/writer.hpp"

using namespace broker;
using part = command_record::part;

TEST_CASE("a batch weighs what it holds in memory", "[broker][note_batch]") {
    note_batch batch;
    CHECK(batch.empty());
    wire_note note;
    note.text = "a";
    append(batch.notes, note);
    batch.records = {std::make_unique<command_record[]>(2), 2};
    CHECK(batch.records[0].is == part::notes);
    batch.pinned_bytes = 1000;
    CHECK(batch.weight() == 2 * sizeof(command_record) + batch.notes.size() + 1000);
}

TEST_CASE("a long frame is kept with its arguments' ends and true lengths", "[broker][note_batch]") {
    const std::string message(100'000, 'x');
    const std::string frame = resp::command({"LPUSH", "q", message});
    const std::string kept = shortened(frame);
    const std::string body = resp::command({"LPUSH", "q", std::string(message_tail_bytes, 'x')});
    REQUIRE(kept.size() == body.size() + 3 * sizeof(std::uint64_t));
    CHECK(kept.starts_with(body));
}
