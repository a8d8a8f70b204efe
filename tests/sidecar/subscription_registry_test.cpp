#include "sidecar/core/subscription_registry.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

using sidecar::subscription_registry;
using kind = channels::name_kind;

TEST_CASE("a PUBLISH waits for a pending subscription of its name, on its upstream") {
    subscription_registry names;
    CHECK_FALSE(names.any_pending());
    const auto ticket = names.begin_pending(0, kind::channel, "a");
    CHECK(names.any_pending());
    CHECK(names.must_wait(0, kind::channel, "a", 3));
    CHECK_FALSE(names.must_wait(0, kind::channel, "b", 4));
    CHECK_FALSE(names.must_wait(1, kind::channel, "a", 4));
    CHECK_FALSE(names.must_wait(0, kind::shard_channel, "a", 4));
    CHECK(names.end_pending(0, kind::channel, "a", ticket) == std::set<int>{3});
    CHECK_FALSE(names.any_pending());
    CHECK_FALSE(names.must_wait(0, kind::channel, "a", 3));
}

TEST_CASE("a subscription ends once") {
    subscription_registry names;
    const auto ticket = names.begin_pending(0, kind::channel, "a");
    (void)names.begin_pending(0, kind::channel, "b");
    (void)names.end_pending(0, kind::channel, "a", ticket);
    CHECK(names.end_pending(0, kind::channel, "a", ticket).empty());
    CHECK(names.any_pending());
    CHECK(names.must_wait(0, kind::channel, "b", 1));
}

TEST_CASE("a pending pattern holds every channel it matches") {
    subscription_registry names;
    const auto ticket = names.begin_pending(0, kind::pattern, "news.*");
    CHECK(names.must_wait(0, kind::channel, "news.1", 0));
    CHECK_FALSE(names.must_wait(0, kind::channel, "other", 1));
    CHECK_FALSE(names.must_wait(0, kind::shard_channel, "news.1", 1));
    CHECK(names.end_pending(0, kind::pattern, "news.*", ticket) == std::set<int>{0});
}

TEST_CASE("two shards subscribing to one name are both waited for") {
    subscription_registry names;
    const auto first = names.begin_pending(0, kind::channel, "a");
    const auto second = names.begin_pending(0, kind::channel, "a");
    CHECK(first != second);
    CHECK(names.must_wait(0, kind::channel, "a", 1));
    CHECK(names.end_pending(0, kind::channel, "a", first) == std::set<int>{1});
    CHECK(names.must_wait(0, kind::channel, "a", 1));
    CHECK(names.end_pending(0, kind::channel, "a", second) == std::set<int>{1});
    CHECK_FALSE(names.must_wait(0, kind::channel, "a", 1));
}

TEST_CASE("a script may publish anything and waits for all that was pending when it asked") {
    subscription_registry names;
    std::uint64_t asked = 0;
    CHECK_FALSE(names.must_wait_for_any(0, 2, asked));
    const auto first = names.begin_pending(0, kind::shard_channel, "z");
    CHECK(names.must_wait_for_any(0, 2, asked));
    std::uint64_t elsewhere = 0;
    CHECK_FALSE(names.must_wait_for_any(1, 2, elsewhere));
    const auto later = names.begin_pending(0, kind::channel, "y");
    CHECK(names.end_pending(0, kind::shard_channel, "z", first) == std::set<int>{2});
    CHECK_FALSE(names.must_wait_for_any(0, 2, asked));
    CHECK(asked == 0);
    CHECK(names.must_wait_for_any(0, 2, asked));
    CHECK(names.end_pending(0, kind::channel, "y", later) == std::set<int>{2});
}

TEST_CASE("receivers are clients, not upstream subscriptions") {
    subscription_registry names;
    CHECK(names.receivers(0, kind::channel, "a", 5) == 5);
    names.add_upstream(0, kind::channel, "a", 1);  // of two shards
    names.add_upstream(0, kind::channel, "a", 1);
    for (int i = 0; i < 7; ++i) names.add_client(0, kind::channel, "a", 1);
    CHECK(names.any_subscribed());
    CHECK(names.receivers(0, kind::channel, "a", 2) == 7);
    CHECK(names.receivers(0, kind::channel, "a", 3) == 8);  // one beside the sidecar
    CHECK(names.receivers(0, kind::channel, "b", 3) == 3);
    CHECK(names.receivers(1, kind::channel, "a", 3) == 3);
    CHECK(names.subscribers(0, kind::channel, "a", 2) == 7);

    names.add_upstream(0, kind::pattern, "a*", 1);
    names.add_client(0, kind::pattern, "a*", 1);
    names.add_client(0, kind::pattern, "a*", 1);
    CHECK(names.receivers(0, kind::channel, "a", 3) == 9);
    CHECK(names.receivers(0, kind::channel, "abc", 1) == 2);
    CHECK(names.subscribers(0, kind::channel, "a", 2) == 7);  // NUMSUB counts no patterns
    CHECK(names.receivers(0, kind::shard_channel, "a", 2) == 2);
}

TEST_CASE("everything given up leaves upstream's own count") {
    subscription_registry names;
    names.add_upstream(0, kind::channel, "a", 1);
    names.add_client(0, kind::channel, "a", 1);
    names.add_client(0, kind::channel, "a", -1);
    CHECK(names.receivers(0, kind::channel, "a", 1) == 0);
    names.add_upstream(0, kind::channel, "a", -1);
    CHECK_FALSE(names.any_subscribed());
    CHECK(names.receivers(0, kind::channel, "a", 4) == 4);
}

TEST_CASE("a pattern being given up, of which upstream knows no more, hides no client") {
    subscription_registry names;
    names.add_upstream(0, kind::pattern, "n*", 1);  // its end is not confirmed yet
    names.add_upstream(0, kind::pattern, "*s", 1);
    names.add_client(0, kind::pattern, "*s", 1);
    CHECK(names.receivers(0, kind::channel, "news", 2) == 1);
    CHECK(names.receivers(0, kind::channel, "news", 1) == 1);
    CHECK(names.receivers(0, kind::channel, "news", 3) == 2);  // one beside the sidecar
}

TEST_CASE("a message that came to upstream before the subscription counts nobody") {
    subscription_registry names;
    names.add_upstream(0, kind::channel, "a", 1);
    names.add_client(0, kind::channel, "a", 1);
    CHECK(names.receivers(0, kind::channel, "a", 0) == 0);
}

TEST_CASE("shards on several threads") {
    subscription_registry names;
    std::vector<std::thread> shards;
    std::atomic<int> told{0};
    for (int shard = 0; shard < 4; ++shard)
        shards.emplace_back([&, shard] {
            for (int i = 0; i < 2000; ++i) {
                const std::string name = "c" + std::to_string(i % 5);
                const auto ticket = names.begin_pending(0, kind::channel, name);
                (void)names.must_wait(0, kind::channel, name, shard);
                names.add_upstream(0, kind::channel, name, 1);
                told += static_cast<int>(names.end_pending(0, kind::channel, name, ticket).size());
                (void)names.receivers(0, kind::channel, name, 1);
                names.add_upstream(0, kind::channel, name, -1);
            }
        });
    for (auto& shard : shards) shard.join();
    CHECK(told > 0);
    CHECK_FALSE(names.any_pending());
    CHECK_FALSE(names.any_subscribed());
}
