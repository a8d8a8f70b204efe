#include "broker/wire_note.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace broker;

namespace {

std::vector<wire_note> read(std::string_view batch) {
    std::vector<wire_note> notes;
    note_reader reader(batch);
    for (wire_note note; reader.next(note);) notes.push_back(note);
    return notes;
}

const wire_note pushed{wire_kind::pushed, 2, 17, 1'700'000'000'000'001, "celery", "{}", "left", 2};
const wire_note gone{wire_kind::gone, 2, 17, 1'700'000'000'000'002, "", "", "", 0};

}  // namespace

TEST_CASE("what is appended to a batch is read back in its order", "[broker][wire_note]") {
    std::string batch;
    append(batch, pushed);
    append(batch, gone);
    CHECK(read(batch) == std::vector<wire_note>{pushed, gone});
}

TEST_CASE("any bytes may stand in a note", "[broker][wire_note]") {
    const std::string zeros(3, '\0');
    std::string batch;
    append(batch, {wire_kind::bound, 15, ~0ULL, -1, zeros, "a\x06\x16", "\n", ~0ULL});
    const auto notes = read(batch);
    REQUIRE(notes.size() == 1);
    CHECK(notes[0].key == zeros);
    CHECK(notes[0].text == "a\x06\x16");
    CHECK(notes[0].client == ~0ULL);
    CHECK(notes[0].at_us == -1);
}

TEST_CASE("a batch that was cut ends before the note that was cut", "[broker][wire_note]") {
    std::string batch;
    append(batch, gone);
    const std::size_t first = batch.size();
    append(batch, pushed);
    for (std::size_t bytes = 0; bytes < batch.size(); ++bytes)
        CHECK(read(std::string_view(batch).substr(0, bytes)).size() == (bytes < first ? 0U : 1U));
}

TEST_CASE("a garbled batch gives nothing", "[broker][wire_note]") {
    CHECK(read(std::string(200, '\xff')).empty());
}

TEST_CASE("a long message is noted by its tail, a short one whole", "[broker][wire_note]") {
    const std::string short_one(whole_message_bytes_max, 'x');
    CHECK(noted_part(short_one) == short_one);
    const std::string long_one = std::string(whole_message_bytes_max, 'x') + "\"}";
    CHECK(noted_part(long_one).size() == message_tail_bytes);
    CHECK(noted_part(long_one).ends_with("\"}"));
}
