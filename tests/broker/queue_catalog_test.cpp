#include "broker/queue_catalog.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "memory_redis.hpp"

using namespace broker;

namespace {

// SCAN in one step, SSCAN and LINDEX beside the lists.
class scanned_redis final : public memory_redis {
public:
    std::map<std::string, std::set<std::string>> sets;
    std::set<std::string> sorted_sets;

protected:
    resp::value run(const redis_command& command) override {
        if (away) return memory_redis::run(command);
        if (command[0] == "LINDEX") return bulk(lists[command[1]].back());
        if (command[0] == "SSCAN") return cursor_and(sets[command[1]]);
        if (command[0] != "SCAN") return memory_redis::run(command);
        std::set<std::string> keys = sorted_sets;
        if (command.back() == "list") {
            keys.clear();
            for (const auto& [key, list] : lists)
                if (!list.empty()) keys.insert(key);
        } else if (command.back() == "set") {
            keys.clear();
            for (const auto& [key, members] : sets) keys.insert(key);
        }
        return cursor_and(keys);
    }

private:
    static resp::value cursor_and(const std::set<std::string>& texts) {
        resp::value reply;
        reply.type = resp::kind::array;
        reply.items.push_back(bulk("0"));
        reply.items.emplace_back();
        for (const auto& text : texts) reply.items[1].items.push_back(bulk(text));
        return reply;
    }
};

}  // namespace

TEST_CASE("queue_catalog knows queues by binding and by content", "[queue_catalog]") {
    scanned_redis redis;
    redis.sets["_kombu.binding.mail"] = {"mail\x06\x16\x06\x16mail", "broken"};
    redis.sets["_kombu.binding.celery.pidbox"] = {"\x06\x16\x06\x16w@h.celery.pidbox"};
    redis
        .lists
            ["found\x06\x16"
             "3"]
        .push_back(message("t"));
    redis.lists["foreign"].push_back("rq:job:1");
    redis.lists["__sidecar:br:dead:x"].push_back(message("t"));
    queue_catalog catalog(redis);
    catalog.catch_up(10);
    CHECK(catalog.complete());
    CHECK(catalog.queues({}) == std::vector<std::string>{"found", "mail"});
    CHECK(catalog.foreign_lists({}) == std::vector<std::string>{"foreign"});
    CHECK(catalog.bindings({}).size() == 2);
}

TEST_CASE("queue_catalog keeps applications with prefixes apart", "[queue_catalog]") {
    scanned_redis redis;
    redis.sets["a:_kombu.binding.x"] = {"\x06\x16\x06\x16one"};
    redis.sets["_kombu.binding.x"] = {"\x06\x16\x06\x16two"};
    redis.lists["a:three"].push_back(message("t"));
    redis.sorted_sets = {"b:unacked_index"};
    queue_catalog catalog(redis);
    catalog.catch_up(10);
    CHECK(catalog.prefixes() == std::vector<std::string>{"", "a:", "b:"});
    CHECK(catalog.queues({}) == std::vector<std::string>{"two"});
    broker_layout of_a;
    of_a.prefix = "a:";
    CHECK(catalog.queues(of_a) == std::vector<std::string>{"one", "three"});
}

TEST_CASE("queue_catalog forgets what a whole round has not met", "[queue_catalog]") {
    scanned_redis redis;
    redis.lists["gone"].push_back(message("t"));
    queue_catalog catalog(redis);
    catalog.catch_up(10);
    redis.lists.clear();
    for (int i = 0; i < 6; ++i) CHECK(catalog.step());
    CHECK(catalog.queues({}).empty());
    redis.away = true;
    CHECK_FALSE(catalog.step());
}

TEST_CASE("queue_catalog looks again for what came during its round", "[queue_catalog]") {
    scanned_redis redis;
    queue_catalog catalog(redis);
    catalog.catch_up(10);
    for (int steps = GENERATE(0, 1, 2); steps > 0; --steps) CHECK(catalog.step());
    redis.lists["young"].push_back(message("t"));
    catalog.look_again(12);
    CHECK(catalog.queues({}) == std::vector<std::string>{"young"});
}
