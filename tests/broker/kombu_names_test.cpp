#include "broker/kombu_names.hpp"

using namespace broker;
using texts = std::vector<std::string>;

namespace {

const std::string sep(binding_separator);

learnt_lists learn(const texts& keys) {
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    return learn_lists(views);
}

}  // namespace

TEST_CASE("A queue is four lists, the bare name first") {
    const naming names;
    CHECK(list_keys("celery", names) ==
          texts{"celery", "celery" + sep + "3", "celery" + sep + "6", "celery" + sep + "9"});
    CHECK(parse_list_key("celery" + sep + "6", names) == queue_list{"celery", 6});
    CHECK(parse_list_key("celery", names) == queue_list{"celery", 0});
}

TEST_CASE("A suffix that is no step belongs to the queue's name") {
    const naming names;
    const std::string odd = "celery" + sep + "5";
    CHECK(parse_list_key(odd, names) == queue_list{odd, 0});
    CHECK(parse_list_key("a:3", names) == queue_list{"a:3", 0});
    const naming colon{"", ":", {0, 3, 6, 9}};
    CHECK(parse_list_key("a:3", colon) == queue_list{"a", 3});
    CHECK(parse_list_key("a:03", colon) == queue_list{"a:03", 0});
    CHECK(parse_list_key(":3", colon) == queue_list{":3", 0});
}

TEST_CASE("Keys of another prefix are not this broker's") {
    const naming names{"app_", std::string(binding_separator), {0, 3, 6, 9}};
    CHECK(parse_list_key("app_celery" + sep + "9", names) == queue_list{"celery", 9});
    CHECK_FALSE(parse_list_key("celery", names));
    CHECK(list_key("celery", 3, names) == "app_celery" + sep + "3");
}

TEST_CASE("Priorities are clamped and rounded down to a step") {
    const naming names;
    CHECK(priority_step(5, names) == 3);
    CHECK(priority_step(-7, names) == 0);
    CHECK(priority_step(50, names) == 9);
    CHECK(priority_step(9, naming{"", ":", {0, 1}}) == 1);
}

TEST_CASE("A BRPOP tells queues, separator and steps") {
    const auto usual = learn({"a", "b", "a" + sep + "3", "b" + sep + "3", "a" + sep + "6", "b" + sep + "6"});
    CHECK(usual.certain);
    CHECK(usual.queues == texts{"a", "b"});
    CHECK(usual.separator == sep);
    CHECK(usual.steps == std::vector{0, 3, 6});

    const auto colon = learn({"mail", "mail:1", "mail:2", "mail:3"});
    CHECK(colon.separator == ":");
    CHECK(colon.steps == std::vector{0, 1, 2, 3});

    const auto digits = learn({"q1", "q1:3", "q1:6", "q1:9"});
    CHECK(digits.queues == texts{"q1"});
    CHECK(digits.steps == std::vector{0, 3, 6, 9});
}

TEST_CASE("A BRPOP of unrelated lists tells nothing but its queues") {
    const auto got = learn({"a", "b", "c"});
    CHECK_FALSE(got.certain);
    CHECK(got.queues == texts{"a", "b", "c"});
    CHECK(got.separator == sep);
    CHECK(learn({}).queues.empty());
    CHECK_FALSE(learn({"a", "b", "a:3", "b;3"}).certain);
    CHECK_FALSE(learn({"a", "a:3", "a:3"}).certain);
}

TEST_CASE("Keys are told apart by name") {
    CHECK(classify_key("celery").kind == key_kind::list);
    CHECK(classify_key("unacked").kind == key_kind::unacked);
    const auto index = classify_key("app_unacked_index");
    CHECK(index.kind == key_kind::unacked_index);
    CHECK(index.prefix == "app_");
    CHECK(classify_key("unacked_mutex").kind == key_kind::unacked_mutex);
    const auto bound = classify_key("app__kombu.binding.mail");
    CHECK(bound.kind == key_kind::binding);
    CHECK(bound.prefix == "app_");
    CHECK(bound.name == "mail");
    const std::string uuid = "0e3c2f1a-1111-4222-8333-abcdefabcdef";
    CHECK(classify_key(uuid + ".reply.celery.pidbox").kind == key_kind::pidbox_reply);
    CHECK(classify_key("w1@host.celery.pidbox").kind == key_kind::pidbox_queue);
    CHECK(classify_key("celeryev." + uuid).kind == key_kind::event_queue);
    CHECK(classify_key("bcast." + uuid).kind == key_kind::broadcast);
    CHECK(classify_key(uuid).kind == key_kind::rpc_reply);
    CHECK(classify_key("__sidecar:br:rules").kind == key_kind::own);
    const std::string result_key = "celery-task-meta-" + uuid;
    const auto result = classify_key(result_key);
    CHECK(result.kind == key_kind::result);
    CHECK(result.name == uuid);
    CHECK(is_work_queue("celeryev.new"));
    CHECK_FALSE(is_work_queue("celeryev." + uuid));
}

TEST_CASE("Bindings are read and written") {
    const std::string direct = "celery" + sep + sep + "celery";
    const auto plain = parse_binding(direct);
    REQUIRE(plain);
    CHECK(plain->routing_key == "celery");
    CHECK(plain->pattern.empty());
    CHECK(plain->queue == "celery");
    CHECK(binding_member(*plain) == direct);

    const std::string topic = "t.*.x" + sep + R"(^t\..*?[^\.]\.x$)" + sep + "t.a";
    const auto wild = parse_binding(topic);
    REQUIRE(wild);
    CHECK(wild->pattern == R"(^t\..*?[^\.]\.x$)");
    CHECK(wild->queue == "t.a");
    CHECK(binding_member(*wild) == topic);
    CHECK_FALSE(parse_binding("anything"));
    CHECK(binding_key("celeryev", naming{"p:", ":", {0}}) == "p:_kombu.binding.celeryev");
}

TEST_CASE("Fanout channels are read and written") {
    const auto event = parse_fanout("pfx:/2.celeryev/worker.heartbeat");
    REQUIRE(event);
    CHECK(event->prefix == "pfx:");
    CHECK(event->db == 2);
    CHECK(event->exchange == event_exchange);
    CHECK(event->routing_key == "worker.heartbeat");
    CHECK(fanout_name(*event) == "pfx:/2.celeryev/worker.heartbeat");
    const auto pidbox = parse_fanout("/2.celery.pidbox");
    REQUIRE(pidbox);
    CHECK(pidbox->exchange == pidbox_exchange);
    CHECK(fanout_name(*pidbox) == "/2.celery.pidbox");
    for (const auto* none : {"celery-task-meta-1", "/x.celeryev", "/2", "/2.", ""})
        CHECK_FALSE(parse_fanout(none));
}

TEST_CASE("Names of the result backend") {
    CHECK(result_key("7") == "celery-task-meta-7");
    CHECK(group_result_keys("g").results == "celery-taskset-meta-g.j");
    CHECK(group_result_keys("g").size == "celery-taskset-meta-g.s");
}
