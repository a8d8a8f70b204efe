#include "broker/inspector.hpp"

#include <catch2/catch.hpp>

#include "memory_redis.hpp"

using namespace broker;

namespace {

const broker_layout layout;

void push(memory_redis& redis, const std::string& key, int from, int to) {
    for (int i = from; i < to; ++i) redis.lists[key].push_front(message("t" + std::to_string(i)));
}

std::vector<std::string> tags(const message_page& page) {
    std::vector<std::string> found;
    for (const auto& item : page.items) found.push_back(item.tag);
    return found;
}

}  // namespace

TEST_CASE("inspector pages from what runs next, through all priorities", "[inspector]") {
    memory_redis redis;
    push(redis, "q", 0, 5);
    push(redis,
         "q\x06\x16"
         "3",
         5, 7);
    inspector inspect(redis);
    const auto first = inspect.page(layout, "q", list_end::right, std::nullopt, 3);
    CHECK(tags(first) == std::vector<std::string>{"t0", "t1", "t2"});
    REQUIRE(first.next);
    const auto second = inspect.page(layout, "q", list_end::right, first.next, 3);
    CHECK(tags(second) == std::vector<std::string>{"t3", "t4", "t5"});
    const auto third = inspect.page(layout, "q", list_end::right, second.next, 3);
    CHECK(tags(third) == std::vector<std::string>{"t6"});
    CHECK_FALSE(third.next);
}

TEST_CASE("inspector goes on behind the cursor's message wherever it is by then", "[inspector]") {
    memory_redis redis;
    push(redis, "q", 0, 100);
    inspector inspect(redis);
    const auto first = inspect.page(layout, "q", list_end::right, std::nullopt, 40);
    for (int i = 0; i < 30; ++i) redis.lists["q"].pop_back();
    const auto after_pops = inspect.page(layout, "q", list_end::right, first.next, 2);
    CHECK(tags(after_pops) == std::vector<std::string>{"t40", "t41"});
    CHECK(after_pops.left_meanwhile == 30);
    redis.lists["q"].push_back(message("restored"));
    const auto after_restore = inspect.page(layout, "q", list_end::right, first.next, 1);
    CHECK(tags(after_restore) == std::vector<std::string>{"t40"});
    for (int i = 0; i < 20; ++i) redis.lists["q"].pop_back();
    CHECK_FALSE(inspect.page(layout, "q", list_end::right, first.next, 1).exact);
}

TEST_CASE("inspector reads the newest first from the left", "[inspector]") {
    memory_redis redis;
    push(redis, "q", 0, 10);
    inspector inspect(redis);
    const auto page = inspect.page(layout, "q", list_end::left, std::nullopt, 2);
    CHECK(tags(page) == std::vector<std::string>{"t9", "t8"});
    CHECK(page.items[0].position == 10);
}

TEST_CASE("inspector reads few elements, however many there are and however large", "[inspector]") {
    memory_redis redis;
    push(redis, "q", 0, 20'000);
    inspector inspect(redis);
    (void)inspect.page(layout, "q", list_end::right, std::nullopt, 50);
    CHECK(redis.elements_read <= 64);
    redis.elements_read = 0;
    CHECK_FALSE(inspect.locate(layout, "absent", {"q"}));
    CHECK(redis.elements_read <= 2'500);
    const std::string large(300'000, 'x');
    for (int i = 0; i < 100; ++i) redis.lists["large"].push_front(large);
    redis.elements_read = 0;
    const auto page = inspect.page(layout, "large", list_end::right, std::nullopt, 100);
    CHECK(redis.elements_read <= 20);
    CHECK(page.next);
}

TEST_CASE("inspector copies one large element at a time and keeps its end", "[inspector]") {
    constexpr std::size_t large = 20U << 20;
    memory_redis redis;
    for (int i = 0; i < 4; ++i) redis.lists["q"].push_front(message("l" + std::to_string(i), large));
    inspector inspect(redis);
    std::vector<std::string> seen;
    std::optional<page_cursor> after;
    for (int pages = 0; pages < 10; ++pages) {
        redis.bytes_read = 0;
        const auto page = inspect.page(layout, "q", list_end::right, after, 50);
        CHECK(redis.bytes_read < 2 * large + 10'000);  // the cursor's and the next
        CHECK(page.exact);
        for (const auto& item : page.items) {
            seen.push_back(item.tag);
            CHECK(item.size > large);
            CHECK(item.element.size() < 10'000);
        }
        if (!page.next) break;
        after = page.next;
    }
    CHECK(seen == std::vector<std::string>{"l0", "l1", "l2", "l3"});
    redis.bytes_read = 0;
    const auto found = inspect.locate(layout, "l2", {"q"});
    REQUIRE(found);
    CHECK(found->whole());
    CHECK(redis.bytes_read < large + 10'000);
}

TEST_CASE("inspector searches whole messages and keeps the end of large ones", "[inspector]") {
    memory_redis redis;
    push(redis, "q", 0, 3);
    redis.lists["q"].push_front(message("large", 3U << 20));
    inspector inspect(redis);
    const auto wanted = [](const listed_message& m) { return m.element.find("xxx") != std::string::npos; };
    const auto found = inspect.search(layout, {"q"}, wanted, "", 50);
    REQUIRE(found.items.size() == 1);
    CHECK(found.items[0].tag == "large");
    CHECK_FALSE(found.items[0].whole());
}

TEST_CASE("inspector finds a message where it was shown, though the queue moves", "[inspector]") {
    memory_redis redis;
    push(redis, "q", 0, 5'000);
    inspector inspect(redis);
    std::optional<page_cursor> at = page_cursor{0, 2'000, "t1999"};
    (void)inspect.page(layout, "q", list_end::right, at, 50);
    for (int i = 0; i < 100; ++i) redis.lists["q"].pop_back();
    const auto found = inspect.locate(layout, "t2010", {"q"});
    REQUIRE(found);
    CHECK(found->position == 1'911);
    CHECK(found->element == message("t2010"));
}

TEST_CASE("inspector leaves out what is hidden", "[inspector]") {
    memory_redis redis;
    push(redis, "q", 0, 5);
    inspector inspect(redis);
    inspect.set_hidden([](std::string_view tag) { return tag == "t1"; });
    const auto page = inspect.page(layout, "q", list_end::right, std::nullopt, 3);
    CHECK(tags(page) == std::vector<std::string>{"t0", "t2", "t3"});
}

TEST_CASE("inspector searches step by step and tells where to go on", "[inspector]") {
    memory_redis redis;
    push(redis, "a", 0, 10);
    push(redis, "b", 10, 6'010);
    inspector inspect(redis);
    const auto wanted = [](const listed_message& m) { return m.tag == "t3" || m.tag == "t6000"; };
    std::vector<std::string> found;
    std::string cursor;
    int steps = 0;
    for (; steps < 20; ++steps) {
        const auto part = inspect.search(layout, {"a", "b"}, wanted, cursor, 50);
        for (const auto& item : part.items) found.push_back(item.tag);
        if (!part.next) break;
        cursor = *part.next;
    }
    CHECK(found == std::vector<std::string>{"t3", "t6000"});
    CHECK(steps >= 2);
    CHECK(steps < 10);
}

TEST_CASE("page_cursor comes back from its text, and from nothing else", "[inspector]") {
    const page_cursor cursor{3, 17, "a.b"};
    const auto back = page_cursor::parse(cursor.text());
    REQUIRE(back);
    CHECK(back->step == 3);
    CHECK(back->position == 17);
    CHECK(back->tag == "a.b");
    CHECK_FALSE(page_cursor::parse("x"));
    CHECK_FALSE(page_cursor::parse("0.-1.t"));
}

TEST_CASE("inspector says so when Redis is away", "[inspector]") {
    memory_redis redis;
    redis.away = true;
    inspector inspect(redis);
    CHECK_FALSE(inspect.page(layout, "q", list_end::right, std::nullopt, 3).error.empty());
    CHECK_FALSE(inspect
                    .search(
                        layout, {"q"}, [](const auto&) { return true; }, "", 3)
                    .error.empty());
}
