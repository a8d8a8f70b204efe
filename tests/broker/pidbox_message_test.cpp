#include "broker/pidbox_message.hpp"

#include "broker/kombu_names.hpp"
#include "tests/broker/golden.hpp"

using namespace broker;

TEST_CASE("A request of Celery's is understood") {
    for (const auto& release : tests::golden_releases) {
        const auto request = read_pidbox_request(tests::golden(release, "pidbox-request"));
        REQUIRE(request);
        CHECK(request->method == "rate_limit");
        CHECK(request->arguments.at("task_name") == "a");
        CHECK(request->destination == std::vector<std::string>{"w1@host"});
        CHECK(request->ticket.empty());
    }
}

TEST_CASE("A request of ours reads back as it was meant") {
    pidbox_request request;
    request.method = "pool_grow";
    request.arguments = {{"n", 2}};
    request.destination = {"w1@host", "w2@host"};
    request.ticket = "ticket";
    request.reply_oid = "oid";
    request.tag = "tag";
    request.expires_s = 12.5;
    const auto got = read_pidbox_request(pidbox_payload(request));
    REQUIRE(got);
    CHECK(got->method == request.method);
    CHECK(got->arguments == request.arguments);
    CHECK(got->destination == request.destination);
    CHECK(got->ticket == "ticket");
    CHECK(got->reply_oid == "oid");
    CHECK(got->tag == "tag");
    CHECK(got->expires_s == 12.5);
}

TEST_CASE("A request without a ticket wants no reply") {
    pidbox_request request;
    request.method = "shutdown";
    request.tag = "tag";
    const auto body = decode(pidbox_payload(request)).body.as_object();
    CHECK_FALSE(body.contains("reply_to"));
    CHECK_FALSE(body.contains("ticket"));
    CHECK(body.at("destination").is_null());
}

TEST_CASE("Replies") {
    for (const auto& release : tests::golden_releases) {
        const auto reply = read_pidbox_reply(tests::golden(release, "pidbox-reply"));
        REQUIRE(reply);
        CHECK(reply->ticket == "ticket-1");
        CHECK(reply->node == "w1@host");
        CHECK(reply->content.as_object().at("ok") == "pong");
    }
    CHECK_FALSE(read_pidbox_reply("garbage"));
    CHECK_FALSE(read_pidbox_request("garbage"));
}

TEST_CASE("The names of a reply list") {
    CHECK(pidbox_reply_queue("oid") == "oid.reply.celery.pidbox");
    const std::string member = pidbox_reply_binding("oid");
    const auto bound = parse_binding(member);
    REQUIRE(bound);
    CHECK(bound->routing_key == "oid");
    CHECK(bound->queue == "oid.reply.celery.pidbox");
}
