#include "broker/observer_store.hpp"

#include <map>

#include "catch2/catch.hpp"

namespace {

using namespace broker;

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t start = 1'790'000'000 * second;

resp::value text(std::string of) {
    resp::value value;
    value.type = resp::kind::bulk;
    value.text = std::move(of);
    return value;
}

resp::value integer(std::int64_t of) {
    resp::value value;
    value.type = resp::kind::integer;
    value.integer = of;
    return value;
}

resp::value array(std::vector<resp::value> items) {
    resp::value value;
    value.type = resp::kind::array;
    value.items = std::move(items);
    return value;
}

// Hashes and lists, as far as the store uses them.
class small_redis : public redis_port {
public:
    std::map<std::string, std::map<std::string, std::string>> hashes;
    std::map<std::string, std::vector<std::string>> lists;
    std::uint64_t commands = 0;
    bool down = false;

    std::vector<resp::value> pipeline(std::span<const redis_command> all) override {
        std::vector<resp::value> replies;
        for (const redis_command& each : all) replies.push_back(run(each));
        return replies;
    }

private:
    resp::value run(const redis_command& command) {
        ++commands;
        resp::value error;
        error.type = resp::kind::error;
        error.text = std::string(redis_gone);
        if (down) return error;
        const std::string& verb = command[0];
        const std::string& key = command.size() > 2 && verb == "MEMORY" ? command[2] : command[1];
        if (verb == "HSET") {
            for (std::size_t i = 2; i + 1 < command.size(); i += 2) hashes[key][command[i]] = command[i + 1];
            return integer(1);
        }
        if (verb == "HDEL") {
            for (std::size_t i = 2; i < command.size(); ++i) hashes[key].erase(command[i]);
            return integer(1);
        }
        if (verb == "HINCRBY") {
            std::string& value = hashes[key][command[2]];
            value = std::to_string((value.empty() ? 0 : std::stoll(value)) + std::stoll(command[3]));
            return integer(1);
        }
        if (verb == "HLEN") return integer(static_cast<std::int64_t>(hashes[key].size()));
        if (verb == "LLEN") return integer(static_cast<std::int64_t>(lists[key].size()));
        if (verb == "LINDEX") return text(lists[key].empty() ? "" : lists[key].back());
        if (verb == "MEMORY") return integer(static_cast<std::int64_t>(lists[key].size()) * 500);
        if (verb == "HMGET") {
            std::vector<resp::value> values;
            for (std::size_t i = 2; i < command.size(); ++i) {
                const auto found = hashes[key].find(command[i]);
                values.push_back(found == hashes[key].end() ? resp::value{} : text(found->second));
            }
            return array(std::move(values));
        }
        if (verb == "HSCAN") {
            std::vector<resp::value> fields;
            for (const auto& [field, value] : hashes[key]) {
                fields.push_back(text(field));
                fields.push_back(text(value));
            }
            return array({text("0"), array(std::move(fields))});
        }
        return integer(1);
    }
};

std::string message(const std::string& tag, const std::string& more = "") {
    return R"({"body": "", "headers": {"task": "t", "id": "i")" + more +
           R"(}, "properties": {"delivery_info": {"exchange": "", "routing_key": "celery"}, )" +
           R"("delivery_tag": ")" + tag + R"("}})";
}

void note(observer& into, wire_kind kind, std::string_view key, std::string_view body, std::int64_t at_us,
          std::string_view extra = {}) {
    into.on_note({kind, 2, 1, at_us, key, body, extra, body.size()});
}

std::size_t stored(const small_redis& redis) {
    std::size_t count = 0;
    for (const auto& [key, fields] : redis.hashes) {
        if (key.starts_with("__sidecar:br:seen:")) count += fields.size();
    }
    return count;
}

}  // namespace

TEST_CASE("observer_store brings enqueue times and redelivery counts over a restart",
          "[broker][observer_store]") {
    small_redis redis;
    {
        observer before;
        observer_store store;
        while (!store.load(before, redis, start)) continue;
        CHECK(store.loaded());
        for (int i = 0; i < 1'200; ++i) {
            note(before, wire_kind::pushed, "celery", message("tag-" + std::to_string(i)), start + i * 1'000);
        }
        note(before, wire_kind::popped, "celery", message("tag-3", R"(,"redelivered": true)"),
             start + 2 * second);
        store.save(before, redis, start + 2 * second);
        CHECK(store.counts().times_written == 1'200);
        CHECK(store.counts().failures == 0);
        const auto commands = redis.commands;
        store.save(before, redis, start + 3 * second);
        CHECK(redis.commands == commands);
    }
    CHECK(stored(redis) == 1'200);
    observer after;
    observer_store store;
    while (!store.load(after, redis, start + 10 * second)) continue;
    CHECK(after.enqueued_at_us("tag-7") == start + 7'000);
    CHECK(after.redeliveries("tag-3") == 1);

    // What stands in the queue now is known by the tag of its head.
    redis.lists["celery"] = {message("tag-9"), message("tag-8")};
    note(after, wire_kind::waits, "", "celery", start + 10 * second);
    store.measure(after, 2, redis, start + 11 * second);
    CHECK(after.queue({2, ""}, "celery")->ready == 2);
    CHECK(after.queue({2, ""}, "celery")->oldest_enqueued_us == start + 8'000);
    redis.lists["celery"].push_back(message("foreign"));
    store.measure(after, 2, redis, start + 20 * second);
    CHECK(after.queue({2, ""}, "celery")->oldest_enqueued_us == std::nullopt);

    // Acknowledged: gone there too.
    note(after, wire_kind::settled, "unacked", "tag-3", start + 12 * second);
    after.tick(start + 13 * second);
    store.save(after, redis, start + 13 * second);
    CHECK(redis.hashes["__sidecar:br:redelivered"].empty());
    CHECK(stored(redis) == 1'199);
}

TEST_CASE("observer_store finds what another sidecar saw published", "[broker][observer_store]") {
    small_redis redis;
    observer one;
    observer two;
    observer_store first;
    observer_store second_store;
    while (!second_store.load(two, redis, start)) continue;
    note(one, wire_kind::pushed, "celery", message("shared"), start);
    first.save(one, redis, start + second);
    note(two, wire_kind::popped, "celery", message("shared"), start + 5 * second);
    CHECK(two.enqueued_at_us("shared") == std::nullopt);
    second_store.save(two, redis, start + 6 * second);
    CHECK(two.enqueued_at_us("shared") == start);
    CHECK(second_store.counts().times_found == 1);
}

TEST_CASE("observer_store drops what is a week old, and survives a Redis that is away",
          "[broker][observer_store]") {
    small_redis redis;
    observer first;
    observer_store store;
    note(first, wire_kind::pushed, "celery", message("old"), start);
    store.save(first, redis, start);
    redis.down = true;
    observer second_one;
    observer_store again;
    CHECK_FALSE(again.load(second_one, redis, start));
    again.measure(second_one, 2, redis, start);
    CHECK(again.counts().failures > 0);
    redis.down = false;
    while (!again.load(second_one, redis, start + 700'000 * second)) continue;
    CHECK(second_one.enqueued_at_us("old") == std::nullopt);
}
