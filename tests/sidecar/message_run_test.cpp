#include "sidecar/core/message_run.hpp"

#include <catch2/catch.hpp>

#include "resp/writer.hpp"

using channels::name_kind;
using sidecar::message_run;

namespace {

std::string frame(char type, std::initializer_list<std::string_view> parts) {
    std::string out = std::string(1, type) + std::to_string(parts.size()) + "\r\n";
    for (const auto part : parts) resp::append_bulk(out, part);
    return out;
}

// Frames that lie one behind the other, as in a read buffer.
struct series {
    std::string bytes;
    std::vector<std::size_t> sizes;

    series(std::initializer_list<std::string> frames) {
        for (const auto& each : frames) {
            bytes += each;
            sizes.push_back(each.size());
        }
    }
    [[nodiscard]] std::string_view at(std::size_t wanted) const {
        std::size_t begin = 0;
        for (std::size_t i = 0; i < wanted; ++i) begin += sizes[i];
        return std::string_view(bytes).substr(begin, sizes[wanted]);
    }
};

// What of a frame tells its names.
message_run::names room(std::string_view name = "room") {
    const std::string head = frame('>', {"message", name});
    return {name_kind::channel, name, name, head.size()};
}

}  // namespace

TEST_CASE("messages of one name become one piece in either protocol") {
    const series came{frame('>', {"message", "room", "one"}), frame('>', {"message", "room", "\r\n>3\r\n"}),
                      frame('>', {"message", "room", ""})};
    message_run run;
    CHECK(run.empty());
    run.begin(room(), came.at(0));
    REQUIRE(run.extend(came.at(1)));
    REQUIRE(run.extend(came.at(2)));
    CHECK(run.count() == 3);
    CHECK(run.bytes() == came.bytes.size());
    CHECK(run.text(3) == came.bytes);
    const std::string arrays = frame('*', {"message", "room", "one"}) +
                               frame('*', {"message", "room", "\r\n>3\r\n"}) +
                               frame('*', {"message", "room", ""});
    CHECK(run.text(2) == arrays);
    CHECK(*run.shared(3) == came.bytes);
    CHECK(*run.shared(2) == arrays);
    run.clear();
    CHECK(run.empty());
    CHECK(run.bytes() == 0);
}

TEST_CASE("a piece is encoded once and shared by all") {
    const series came{frame('>', {"message", "room", "one"})};
    message_run run;
    run.begin(room(), came.at(0));
    const sidecar::shared_frame first = run.shared(2);
    CHECK(run.shared(2) == first);
    CHECK(run.shared(3) != first);
    // It outlives the run that made it.
    run.clear();
    CHECK(*first == frame('*', {"message", "room", "one"}));
    CHECK(first.use_count() == 1);
}

TEST_CASE("other names, another place or nothing before it begin a run of their own") {
    const std::string mine = frame('>', {"message", "room", "one"});
    const series other{mine, frame('>', {"message", "roof", "one"})};
    const series longer{mine, frame('>', {"message", "room2", "one"})};
    const series kind{mine, frame('>', {"smessage", "room", "one"})};
    message_run run;
    CHECK_FALSE(run.extend(other.at(0)));
    for (const auto* came : {&other, &longer, &kind}) {
        run.begin(room(), came->at(0));
        CHECK_FALSE(run.extend(came->at(1)));
        CHECK(run.count() == 1);
    }
    const series same{mine, mine, mine};
    run.begin(room(), same.at(0));
    CHECK_FALSE(run.extend(same.at(2)));
    CHECK_FALSE(run.extend(same.at(0)));
    CHECK(run.extend(same.at(1)));
}

TEST_CASE("messages of one pattern published to different names are not mixed") {
    const series came{frame('>', {"pmessage", "r*", "room", "one"}),
                      frame('>', {"pmessage", "r*", "room", "two"}),
                      frame('>', {"pmessage", "r*", "roof", "one"})};
    const std::size_t head = frame('>', {"pmessage", "r*", "room"}).size();
    message_run run;
    run.begin({name_kind::pattern, "r*", "room", head}, came.at(0));
    CHECK(run.extend(came.at(1)));
    CHECK_FALSE(run.extend(came.at(2)));
    CHECK(run.of().channel == "room");
}
