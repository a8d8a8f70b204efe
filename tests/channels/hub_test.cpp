#include "channels/hub.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

using namespace channels;
using std::chrono::seconds;

namespace {

const moment start{seconds(1'000)};
const moment later = start + seconds(60);
const layer_ref asgi{1, "asgi"};

struct world {
    hub all;
    process& open(std::string_view name, std::uint64_t capacity = 100) {
        process& made = *all.open(asgi, name);
        made.capacity = capacity;
        return made;
    }
    join_result join(process& who, std::string_view group, std::string_view channel, moment until = later) {
        return all.join(who, group, channel, until, told::knows);
    }
    group_tally send(std::string_view group, std::string_view body,
                     const std::vector<std::string>& except = {}) {
        return all.send_group(asgi, group, body, except, later, start);
    }
};

std::string given(process& who) {
    std::string out;
    who.queue.give(100, 1U << 20, start, [&](const message_queue::entry& e) {
        if (!out.empty()) out += ' ';
        if (e.what->is_notice()) {
            out += std::string(e.what->tells == notice::joined ? "+"
                               : e.what->tells == notice::left ? "-"
                                                               : "!") +
                   e.what->channel + "@" + e.what->group;
        } else {
            out += e.what->group + "/" + e.what->channel + ":" + std::string(e.what->body());
        }
    });
    return out;
}

}  // namespace

TEST_CASE("a group message stands once in each process's queue, and is one in memory") {
    world w;
    auto& a = w.open("a");
    auto& b = w.open("b");
    for (const auto* channel : {"a!1", "a!2", "a!3"}) CHECK(w.join(a, "g", channel) == join_result::joined);
    w.join(b, "g", "b!1");
    CHECK(w.join(b, "g", "b!1") == join_result::renewed);
    const auto tally = w.send("g", "hello");
    CHECK(tally.processes == 2);
    CHECK(tally.members == 4);
    CHECK(tally.delivered == 4);
    CHECK(a.queue.ungiven(start).front().what == b.queue.ungiven(start).front().what);
    CHECK(given(a) == "g/:hello");
    CHECK(w.send("nobody", "x").processes == 0);
}

TEST_CASE("who is excepted is not counted, and a process with nobody else gets nothing") {
    world w;
    auto& a = w.open("a");
    auto& b = w.open("b");
    w.join(a, "g", "a!1");
    w.join(a, "g", "a!2");
    w.join(b, "g", "b!1");
    const auto tally = w.send("g", "x", {"b!1", "a!1", "a!never", "c!1"});
    CHECK(tally.processes == 1);
    CHECK(tally.members == 1);
    CHECK(given(a) == "g/:x");
    CHECK(given(b).empty());
}

TEST_CASE("a group message is meant for a process with a member that is not excepted") {
    world w;
    auto& a = w.open("a");
    w.join(a, "g", "a!1");
    w.join(a, "g", "a!2");
    CHECK(w.all.is_meant(a, "g", {}));
    CHECK(w.all.is_meant(a, "g", {"a!1", "b!2"}));
    CHECK_FALSE(w.all.is_meant(a, "g", {"a!1", "a!2"}));
    CHECK_FALSE(w.all.is_meant(a, "h", {}));
}

TEST_CASE("leaving, one by one, all of a channel, and with the process") {
    world w;
    auto& a = w.open("a");
    auto& b = w.open("b");
    auto& c = w.open("c");
    for (auto* who : {&a, &b, &c}) {
        w.join(*who, "g", who->name() + "!1");
        w.join(*who, "h", who->name() + "!1");
    }
    CHECK(w.all.leave(a, "g", "a!1", told::knows));
    CHECK_FALSE(w.all.leave(a, "g", "a!1", told::knows));
    CHECK_FALSE(w.all.leave(a, "none", "a!1", told::knows));
    CHECK(w.send("g", "x").processes == 2);
    CHECK(w.all.leave_all(b, "b!1", told::knows) == 2);
    CHECK(w.all.leave_all(b, "b!1", told::knows) == 0);
    CHECK(w.send("g", "y").processes == 1);
    w.all.close(c);
    CHECK(w.send("g", "z").processes == 0);
    CHECK(w.send("h", "z").processes == 1);
    CHECK(w.all.count().groups == 1);
    CHECK(w.all.count().memberships == 1);
    CHECK(given(a) == "h/:z");
}

TEST_CASE("groups under random change hold what a plain model holds") {
    world w;
    std::set<std::pair<std::string, std::string>> model;  // group, channel
    std::vector<process*> all;
    for (const auto* name : {"a", "b", "c", "d"}) all.push_back(&w.open(name));
    std::uint64_t state = 7;
    const auto pick = [&](std::uint64_t n) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        return (state >> 33) % n;
    };
    for (int i = 0; i < 5'000; ++i) {
        process& who = *all[pick(all.size())];
        const std::string group = "g" + std::to_string(pick(5));
        const std::string channel = who.name() + "!" + std::to_string(pick(4));
        switch (pick(8)) {
            case 0:
                w.all.leave_all(who, channel, told::knows);
                std::erase_if(model, [&](const auto& m) { return m.second == channel; });
                break;
            case 1:
            case 2:
            case 3:
                CHECK(w.all.leave(who, group, channel, told::knows) == (model.erase({group, channel}) > 0));
                break;
            default:
                CHECK((w.join(who, group, channel) == join_result::joined) ==
                      model.emplace(group, channel).second);
        }
        const std::string asked = "g" + std::to_string(pick(5));
        const auto tally = w.send(asked, "x");
        const auto members =
            std::count_if(model.begin(), model.end(), [&](const auto& m) { return m.first == asked; });
        REQUIRE(tally.members == static_cast<std::uint64_t>(members));
        for (auto* each : all) each->queue.clear();
    }
}

TEST_CASE("a full process loses the newest, alone, and it is counted") {
    world w;
    auto& a = w.open("a", 1);
    auto& b = w.open("b");
    w.join(a, "g", "a!1");
    w.join(a, "g", "a!2");
    w.join(b, "g", "b!1");
    w.send("g", "1");
    const auto tally = w.send("g", "2");
    CHECK(tally.dropped_capacity == 2);
    CHECK(tally.delivered == 1);
    CHECK(given(a) == "g/:1");
    CHECK(given(b) == "g/:1 g/:2");
    CHECK(w.all.count(asgi).dropped_capacity == 2);
}

TEST_CASE("processes, memberships and bytes are bounded") {
    hub small({1, 2, 1'000});
    process& a = *small.open(asgi, "a");
    CHECK(small.open(asgi, "b") == nullptr);
    CHECK(small.open(asgi, "a") == &a);
    CHECK(small.join(a, "g", "a!1", later, told::knows) == join_result::joined);
    CHECK(small.join(a, "h", "a!1", later, told::knows) == join_result::joined);
    CHECK(small.join(a, "i", "a!1", later, told::knows) == join_result::too_many);
    CHECK(small.join(a, "h", "a!1", later, told::knows) == join_result::renewed);
    CHECK(small.send(a, direct_envelope("a!1", std::string(2'000, 'x')), later, start, 100) ==
          push_result::slow);
    a.capacity = 100;
    CHECK(small.send_group(asgi, "g", std::string(2'000, 'x'), {}, later, start).dropped_slow == 1);
    small.close(a);
    CHECK(small.open(asgi, "b") != nullptr);
}

TEST_CASE("memberships end at their time, and the process is told") {
    world w;
    auto& a = w.open("a");
    w.join(a, "g", "a!1", start + seconds(10));
    w.join(a, "g", "a!2", start + seconds(20));
    w.all.expire_memberships(start + seconds(9));
    CHECK(a.memberships() == 2);
    w.all.expire_memberships(start + seconds(10));
    CHECK(a.memberships() == 1);
    CHECK(given(a) == "-a!1@g");
    w.join(a, "g", "a!2", start + seconds(40));
    w.all.expire_memberships(start + seconds(30));
    CHECK(a.memberships() == 1);
    w.all.expire_memberships(start + seconds(50));
    CHECK(a.memberships() == 0);
}

TEST_CASE("changes by others are told, in their place among the messages") {
    world w;
    auto& a = w.open("a");
    w.all.join(a, "g", "a!1", later, told::must_be_told);
    w.send("g", "x");
    w.all.leave(a, "g", "a!1", told::must_be_told);
    CHECK(given(a) == "+a!1@g g/:x -a!1@g");
}

TEST_CASE("a flush empties the layer and no other") {
    world w;
    auto& a = w.open("a");
    process& other = *w.all.open({1, "other"}, "a");
    w.join(a, "g", "a!1");
    w.all.join(other, "g", "a!1", later, told::knows);
    w.send("g", "x");
    w.all.flush(asgi);
    CHECK(given(a) == "!@");
    CHECK(w.send("g", "y").processes == 0);
    CHECK(w.all.send_group({1, "other"}, "g", "y", {}, later, start).processes == 1);
    w.all.flush({2, "none"});
}

TEST_CASE("who has something to give is named once") {
    world w;
    auto& a = w.open("a");
    auto& b = w.open("b");
    w.all.send(a, direct_envelope("a!1", "x"), later, start, 100);
    w.all.send(a, direct_envelope("a!1", "y"), later, start, 100);
    w.all.send(b, direct_envelope("b!1", "z"), later, start, 100);
    w.all.close(b);
    CHECK(w.all.take_ready() == std::vector<process*>{&a});
    CHECK_FALSE(w.all.any_ready());
}

TEST_CASE("what Redis is told again is what is here") {
    world w;
    auto& a = w.open("a");
    w.join(a, "g", "a!1", start + seconds(5));
    w.all.open({2, "asgi"}, "z");
    const auto all = w.all.snapshot(1, start);
    REQUIRE(all.size() == 1);
    CHECK(all[0].process == "a");
    REQUIRE(all[0].memberships.size() == 1);
    CHECK(all[0].memberships[0].group == "g");
    CHECK(all[0].memberships[0].expires_in_ms == 5'000);
}
