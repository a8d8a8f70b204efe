#include "broker/observer_views.hpp"

#include "catch2/catch.hpp"
#include "tests/broker/observer_stage.hpp"

using namespace broker;
using namespace observer_stage;

TEST_CASE("states have the names that the API uses", "[broker][observer_views]") {
    CHECK(to_text(unacked_state::prefetched) == "prefetched");
    CHECK(to_text(unacked_state::orphan) == "orphan");
    CHECK(to_text(liveness::gone) == "gone");
    CHECK(to_text(owner_state::reconnected) == "reconnected");
    CHECK(to_text(task_state::lost) == "lost");
    CHECK(to_text(client_role::events) == "events");
}

TEST_CASE("views of clients and workers say what they do", "[broker][observer_views]") {
    stage at;
    at.worker();
    at.note(11, wire_kind::swept, "unacked_index", std::to_string(start / second - 90));
    at.note(11, wire_kind::named, "name", "cel");
    at.pop(10, 1);
    at.take(11, 1);
    const auto clients = at.watch.clients();
    REQUIRE(clients.size() == 3);
    CHECK(clients[0].queues == std::vector<std::string>{"celery"});
    CHECK(clients[0].roles == std::vector<client_role>{client_role::consumer});
    CHECK(clients[1].process == clients[0].process);
    CHECK(clients[1].name == "cel");
    CHECK(clients[2].node == "w1@host");
    at.watch.tick(at.now + 10 * second);
    const auto workers = at.watch.workers();
    REQUIRE(workers.size() == 1);
    CHECK(workers[0].state == liveness::silent);
    CHECK(workers[0].address == "10.0.0.1");
    CHECK(workers[0].clients.size() == 3);
    CHECK(workers[0].queues == std::vector<std::string>{"celery"});
    CHECK(workers[0].visibility_timeout_s == Approx(90));
    CHECK(workers[0].unacked == 1);
    CHECK(workers[0].software == "py-celery 5.6.3");
    CHECK(workers[0].pid == 7);
}
