#include "broker/redis_facts.hpp"

#include <map>

#include "catch2/catch.hpp"
#include "tests/broker/observer_stage.hpp"

using namespace broker;
using namespace observer_stage;

namespace {

// Answers by the command's words; everything else is an error.
class scripted : public redis_port {
public:
    std::map<std::string, std::string> replies;  // RESP

    std::vector<resp::value> pipeline(std::span<const redis_command> commands) override {
        std::vector<resp::value> all;
        for (const redis_command& each : commands) {
            std::string line;
            for (const std::string& word : each) line += (line.empty() ? "" : " ") + word;
            const auto found = replies.find(line);
            all.push_back(
                *resp::parse_value(found == replies.end() ? "-ERR unknown " + line + "\r\n" : found->second));
        }
        return all;
    }
};

std::string bulk(std::string_view text) {
    return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string scan(std::initializer_list<std::string> items) {
    std::string text = "*2\r\n" + bulk("0") + "*" + std::to_string(items.size()) + "\r\n";
    for (const std::string& each : items) text += bulk(each);
    return text;
}

}  // namespace

TEST_CASE("fact_gatherer reads settings, bindings, locks and leftovers", "[broker][redis_facts]") {
    scripted redis;
    redis.replies["TIME"] = "*2\r\n" + bulk(std::to_string(start / second + 5)) + bulk("0");
    redis.replies["INFO memory"] =
        bulk("# Memory\r\nused_memory:95\r\nmaxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\n");
    redis.replies["CONFIG GET appendonly"] = "*2\r\n" + bulk("appendonly") + bulk("yes");
    redis.replies["CONFIG GET save"] = "*2\r\n" + bulk("save") + bulk("3600 1");
    redis.replies["SCAN 0 MATCH *_kombu.binding.* COUNT 1000 TYPE set"] =
        scan({"p:_kombu.binding.celery", "p:_kombu.binding.celery.pidbox",
              "p:_kombu.binding.reply.celery.pidbox"});
    redis.replies["SSCAN p:_kombu.binding.celery 0 COUNT 500"] = scan({"jobs\x06\x16\x06\x16jobs"});
    redis.replies["SSCAN p:_kombu.binding.celery.pidbox 0 COUNT 500"] =
        scan({"\x06\x16\x06\x16w1@host.celery.pidbox"});
    redis.replies["SSCAN p:_kombu.binding.reply.celery.pidbox 0 COUNT 500"] =
        scan({"o\x06\x16\x06\x16o.reply.celery.pidbox"});
    redis.replies["LLEN p:o.reply.celery.pidbox"] = ":7\r\n";
    redis.replies["PTTL p:o.reply.celery.pidbox"] = ":-1\r\n";
    redis.replies["PTTL p:unacked_mutex"] = ":-1\r\n";

    stage at;
    at.note(1, wire_kind::bound, "p:_kombu.binding.celery", "jobs\x06\x16\x06\x16jobs");
    fact_gatherer gatherer;
    const redis_facts facts = gatherer.gather(at.watch, 2, redis, start);
    const broker_id broker{2, "p:"};
    CHECK(facts.known);
    CHECK(facts.clock_ahead_s == Approx(5));
    CHECK(facts.maxmemory_policy == "allkeys-lru");
    CHECK(facts.used_memory == 95);
    CHECK(facts.appendonly);
    CHECK(facts.bindings_complete);
    CHECK(facts.bound.at(broker).contains("jobs"));
    CHECK(facts.mailboxes.at(broker) == std::set<std::string>{"w1@host"});
    CHECK(facts.mutex_for_ever == std::set<broker_id>{broker});
    REQUIRE(facts.reply_lists.size() == 1);
    CHECK(facts.reply_lists[0].length == 7);
    CHECK_FALSE(facts.reply_lists[0].expires);
}

TEST_CASE("fact_gatherer knows nothing when Redis does not answer", "[broker][redis_facts]") {
    scripted redis;
    stage at;
    fact_gatherer gatherer;
    CHECK_FALSE(gatherer.gather(at.watch, 2, redis, start).known);
}
